"""Training compared: re-synchronised after every step, which gives the verdict, and free-running in its envelope."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from compare.branches import pinned
from compare.finding import worst_by_name
from compare.floor import LIMIT, Quantity, Verdict
from compare.optimizers import named_states
from compare.sides import Side
from compare.trial import Divergence, Trial, moved
from scratch.module import Array

RESYNC_STEPS, RESYNC_RERUNS = 20, 2
FREE_STEPS, TWINS = 50, 5


def batches(trial: Trial, steps: int) -> Iterator[tuple[Any, Array]]:
    rng = trial.rng("batches")
    for _ in range(steps):
        target = trial.draw_target(rng)
        assert target is not None
        yield trial.draw_inputs(rng), target


def training_step(side: Side, inputs: Any, target: Array) -> dict[str, Array]:
    """One step; the loss before it, its gradients, and the state that it leaves behind."""
    side.train()
    side.zero_grad()
    side.forward(inputs)
    read = {"loss": side.loss(target)}
    side.backward()
    read |= {f"{name} gradient": gradient for name, gradient in reversed(side.gradients().items())}
    side.step()
    return read | named_states(side) | side.state()


def resynchronised_steps(trial: Trial) -> Iterator[tuple[str, list[Quantity]]]:
    """Before each step the reference gets scratch's weights, buffers and optimizer state: one step is judged."""
    scratch, side, exact = trial.scratch(), trial.reference(), trial.reference("float64")
    scratch.load(trial.state)
    for step, (inputs, target) in enumerate(batches(trial, RESYNC_STEPS), 1):
        before = scratch.state(), scratch.optimizer_state(), inputs
        with scratch.watch() as trace:
            found = training_step(scratch, inputs, target)

        def run(
            side: Side, seed: int | None = None, given: Any = before, target: Array = target, trace: Any = trace
        ) -> Any:
            state, optimizer_state, inputs = given if seed is None else moved(given, seed)
            side.load(state)
            side.load_optimizer_state(optimizer_state)
            with pinned(side.model, trace.inputs):
                return training_step(side, inputs, target)

        reruns = [run(side, seed) for seed in range(RESYNC_RERUNS)]
        if trial.dtype != "float64":
            reruns.append(run(side))
        yield f"step {step}", trial.judge(found, run(exact), reruns)


def resynchronised(trial: Trial) -> list[Quantity]:
    return worst_by_name(resynchronised_steps(trial))


def first_step(trial: Trial) -> Divergence | None:
    """The first step after which a tensor differs, and the module that it belongs to."""
    for label, quantities in resynchronised_steps(trial):
        for quantity in quantities:
            if quantity.verdict is Verdict.FAIL:
                module = quantity.name.partition(" ")[0].rpartition(".")[0]
                return Divergence("step", module or quantity.name, int(label.split()[1]))
    return None


def no_verdict(trial: Trial) -> str:
    return "" if trial.dtype == "float64" else "free-running curves give a verdict in float64 alone"


def free(trial: Trial) -> list[Quantity]:
    """The loss of 50 steps on either side, in units of the envelope."""
    found = losses(trial, trial.scratch(), trial.state)
    star = losses(trial, trial.reference(), trial.state)
    twins = [losses(trial, trial.reference(), moved(trial.state, seed)) for seed in range(TWINS)]
    if not (np.isfinite(found).all() and np.isfinite(star).all()):
        return [Quantity("loss", float("inf"), 0.0, float("inf"), Verdict.FAIL, reason="NaN or inf in a loss")]
    error, width = np.abs(found - star), envelope(star, twins)
    step = int((error / width).argmax())
    ratio = float(error[step] / width[step])
    outside = np.flatnonzero(error > LIMIT * width)
    reason = f"leaves the envelope at step {outside[0] + 1}" if outside.size else ""
    verdict = Verdict.FAIL if outside.size else Verdict.PASS
    return [Quantity("loss", float(error[step]), float(width[step]), ratio, verdict, reason=reason)]


def envelope(star: Array, twins: list[Array]) -> Array:
    """The running maximum up to t of the largest distance of any twin from the reference, plus 8 ulp: (steps,)."""
    distance = np.abs(np.array(twins) - star).max(axis=0)
    return np.maximum.accumulate(distance) + 8 * np.spacing(np.abs(star))


def losses(trial: Trial, side: Side, state: dict[str, Array]) -> Array:
    """A free run from `state`: (steps,)."""
    side.load(state)
    steps = (training_step(side, inputs, target)["loss"] for inputs, target in batches(trial, FREE_STEPS))
    return np.array([float(loss) for loss in steps])
