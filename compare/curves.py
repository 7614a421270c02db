"""Training compared: re-synchronised after every step, which gives the verdict, and free-running in its envelope."""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from compare import nest
from compare.branches import pinned
from compare.finding import worst_by_name
from compare.floor import LIMIT, Quantity, Verdict
from compare.optimizers import named_states
from compare.sides import Reference, Side
from compare.trial import Divergence, Reading, Trial, moved
from scratch.module import Array

RESYNC_STEPS, RESYNC_RERUNS = 20, 2
FREE_STEPS, TWINS = 50, 5
# An envelope wider than this part of the loss says nothing any more.
INFORMATIVE = 0.01


def batches(trial: Trial, steps: int) -> Iterator[tuple[Any, Array]]:
    rng = trial.rng("batches")
    for _ in range(steps):
        target = trial.draw_target(rng)
        assert target is not None
        yield trial.draw_inputs(rng), target


def training_step(side: Side, inputs: Any, target: Array) -> Reading:
    """One step by stage: as in a trial, and under "update" the state that it leaves behind."""
    side.train()
    side.zero_grad()
    with side.watch() as trace:
        out = side.forward(inputs)
        loss = side.loss(target)
        side.backward()
    gradients = side.gradients()
    side.step()
    return {
        "forward": {**trace.outputs, **nest.numbered("<output>", out)},
        "loss": {"loss": loss},
        "backward": trace.gradients,
        "gradient": gradients,
        "update": named_states(side) | side.state(),
        "taken": trace.inputs,
        "masks": trace.masks,
    }


def resynchronised_steps(trial: Trial) -> Iterator[tuple[int, dict[str, list[Quantity]]]]:
    """Before each step the reference gets scratch's weights, buffers and optimizer state: one step is judged."""
    scratch, side, exact = trial.scratch(), trial.reference(), trial.reference("float64")
    scratch.load(trial.state)
    for step, (inputs, target) in enumerate(batches(trial, RESYNC_STEPS), 1):
        before = scratch.state(), scratch.optimizer_state(), inputs
        found = training_step(scratch, inputs, target)
        again = partial(one_step_from, before, target, found)
        star, reruns = again(exact), [again(side, seed) for seed in range(RESYNC_RERUNS)]
        if trial.dtype != "float64":
            reruns.append(again(side))
        stages = [stage for stage in found if stage not in ("taken", "masks")]
        if not any(name in star["forward"] for name in found["taken"]):  # a reference without modules
            stages = [stage for stage in stages if stage not in ("forward", "backward")]
        yield step, {s: trial.judge(found[s], star[s], [rerun[s] for rerun in reruns]) for s in stages}


def one_step_from(before: Any, target: Array, found: Reading, side: Reference, seed: int | None = None) -> Reading:
    """The reference's step from (state, optimizer state, inputs), pinned; with a seed all moved by one ulp first."""
    state, optimizer_state, inputs = before if seed is None else moved(before, seed)
    side.load(state)
    side.load_optimizer_state(optimizer_state)
    with pinned(side.model, found["taken"], found["masks"]):
        return training_step(side, inputs, target)


def resynchronised(trial: Trial) -> list[Quantity]:
    """Loss, gradients, parameters, buffers and optimizer state; of every tensor the worst of all steps."""

    def rounds() -> Iterator[tuple[str, list[Quantity]]]:
        for step, judged in resynchronised_steps(trial):
            gradients = [replace(q, name=f"{q.name} gradient") for q in judged["gradient"]]
            yield f"step {step}", [*judged["loss"], *gradients, *judged["update"]]

    return worst_by_name(rounds())


def first_step(trial: Trial) -> Divergence | None:
    """The first step that differs and in it the first module; where all gradients agree, the loss or updated tensor."""
    for step, judged in resynchronised_steps(trial):
        if where := trial.locate({s: judged.get(s, []) for s in ("forward", "backward", "gradient")}, step):
            return where
        for stage in ("loss", "update"):
            for quantity in judged[stage]:
                if quantity.verdict is Verdict.FAIL:
                    return Divergence(stage, trial.owner(quantity.name.partition(" ")[0]), step, quantity.name)
    return None


def no_verdict(trial: Trial) -> str:
    return "" if trial.dtype == "float64" else "free-running curves give a verdict in float64 alone"


def free(trial: Trial) -> list[Quantity]:
    """The loss of 50 steps on either side, in units of the envelope, as long as that is informative."""
    found, masks = free_run(trial, trial.scratch(), trial.state)
    star, _ = free_run(trial, trial.reference(), trial.state, masks)
    twins = [free_run(trial, trial.reference(), moved(trial.state, seed), masks)[0] for seed in range(TWINS)]
    return [inside(found, star, twins)]


def inside(found: Array, star: Array, twins: list[Array]) -> Quantity:
    """Within LIMIT envelopes at every step before the envelope passes INFORMATIVE of the value."""
    if not np.isfinite([found, star, *twins]).all():
        return Quantity("loss", float("inf"), 0.0, float("inf"), Verdict.FAIL, reason="NaN or inf in a loss")
    error, width = np.abs(found - star), envelope(star, twins)
    blurred = np.flatnonzero(width > INFORMATIVE * np.abs(star))
    steps = int(blurred[0]) if blurred.size else len(star)
    if steps == 0:
        return Quantity("loss", 0.0, float(width[0]), 0.0, Verdict.INCONCLUSIVE, reason="not informative from step 1")
    ratios = error[:steps] / width[:steps]
    worst = int(ratios.argmax())
    reason = f"not informative from step {steps + 1}" if blurred.size else ""
    verdict = Verdict.PASS
    if ratios[worst] > LIMIT:
        verdict, reason = Verdict.FAIL, f"leaves the envelope at step {np.argmax(ratios > LIMIT) + 1}"
    return Quantity("loss", float(error[worst]), float(width[worst]), float(ratios[worst]), verdict, reason=reason)


def envelope(star: Array, twins: list[Array]) -> Array:
    """The running maximum up to t of the largest distance of any twin from the reference, plus 8 ulp: (steps,)."""
    distance = np.abs(np.array(twins) - star).max(axis=0)
    return np.maximum.accumulate(distance) + 8 * np.spacing(np.abs(star))


def free_run(
    trial: Trial, side: Side, state: dict[str, Array], masks: list[Any] | None = None
) -> tuple[Array, list[Any]]:
    """The losses from `state` (steps,) and the dropout masks of each step; a reference takes those of `masks`."""
    side.load(state)
    losses, drawn = [], []
    for step, (inputs, target) in enumerate(batches(trial, FREE_STEPS)):
        with pinned(side.model, {}, masks[step]) if masks is not None else nullcontext():
            read = training_step(side, inputs, target)
        losses.append(float(read["loss"]["loss"]))
        drawn.append(read["masks"])
    return np.array(losses), drawn
