"""The battery: each check is a function from a trial to the quantities that it judged."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from twofold.compare import nest
from twofold.compare.judge.checks import (
    contract,
    curves,
    device,
    exact,
    extremes,
    modes,
    numerical,
    optimizers,
    resync,
    sizes,
    variants,
    workers,
)
from twofold.compare.judge.checks.waivers import waived
from twofold.compare.judge.evidence.reading import Unrepeatable
from twofold.compare.judge.evidence.trial import Trial
from twofold.compare.judge.finding import Finding, Quantity, Verdict, gravest, raised


@dataclass(frozen=True)
class Check:
    """`run` judges; `lacking` says what the check needs and the trial has not.

    What is judged beside a reference that does not repeat itself proves nothing, unless scratch is judged `alone`.
    """

    name: str
    proves: str
    run: Callable[[Trial], Iterable[Quantity]]
    lacking: Callable[[Trial], str] = lambda trial: ""
    alone: bool = False

    def __call__(self, trial: Trial) -> Finding:
        """Whatever a side raises while it runs is a failure, said in one line."""
        try:
            reason = self.lacking(trial)
            if reason:
                return Finding(self.name, Verdict.NOT_APPLICABLE, reason=reason)
            if not self.alone and trial.unsteady:
                return Finding(self.name, Verdict.INCONCLUSIVE, reason=trial.unsteady)
            quantities = tuple(self.run(trial))
        except Unrepeatable as error:
            return Finding(self.name, Verdict.INCONCLUSIVE, reason=str(error))
        except Exception as error:
            return Finding(self.name, Verdict.FAIL, reason=raised(error), error=error)
        return waived(Finding(self.name, gravest(q.verdict for q in quantities), quantities), trial.case.waivers)


def no_loss(trial: Trial) -> str:
    return "" if trial.case.loss else "it has no loss of its own"


def unseen(trial: Trial) -> str:
    if trial.single:
        return "it is a single layer"
    return "" if trial.shows_modules else "the reference has no modules to watch"


def untrained(trial: Trial) -> str:
    return "" if trial.case.optimizer and trial.case.loss else "it has no loss and optimizer of its own"


def empty(trial: Trial) -> str:
    return "" if all(array.size for array in nest.flatten(trial.inputs)) else "its inputs are empty"


def without_slope(trial: Trial) -> str:
    return numerical.lacking(trial) or empty(trial)


def not_shared(trial: Trial) -> str:
    return untrained(trial) or workers.lacking(trial)


def not_free(trial: Trial) -> str:
    return untrained(trial) or curves.no_verdict(trial)


def judged(stage: str) -> Callable[[Trial], Iterable[Quantity]]:
    """Every tensor of one stage of the trial's own pass."""
    return lambda trial: trial.judged(stage)


def outputs(trial: Trial) -> Iterator[Quantity]:
    """Every module's output, and a note for each call that the sides name otherwise or that only one makes."""
    yield from trial.judged("forward")
    for note in trial.rehearsal.notes:
        yield Quantity(note.partition(":")[0], 0.0, 0.0, 0.0, Verdict.NOT_APPLICABLE, reason=note)


BATTERY: tuple[Check, ...] = (
    Check(
        "names",
        "parameters and buffers have equal names and shapes, buffers equal first values",
        contract.names,
        alone=True,
    ),
    Check("load", "both sides read back bit for bit what was loaded", contract.load, alone=True),
    Check("memory", "no array is shared across the border", contract.memory, alone=True),
    Check("exact", "integers agree bit for bit, ties and zeros included", exact.exact, exact.inexact),
    Check("extremes", "each part by itself on extreme values, NaN and infinities", extremes.extremes, empty),
    Check("forward", "every module's output", outputs),
    Check("loss", "the loss and its gradient", judged("loss"), no_loss),
    Check("gradient", "the gradient of every parameter and of the input", judged("gradient")),
    Check("grad_output", "the gradient that every module's output is sent", judged("backward"), unseen),
    Check("sizes", "outputs, loss and gradients where axes are equally long", sizes.sizes, sizes.lacking),
    Check(
        "chunks", "outputs and gradients with the thresholds of fast paths shrunk", variants.chunks, variants.unchunked
    ),
    Check(
        "strides", "outputs and gradients for arrays that are not contiguous, integers of any width", variants.strides
    ),
    Check("twice", "a second backward doubles exactly, and nothing is overwritten", contract.twice, alone=True),
    Check(
        "numerical",
        "scratch's gradient is the derivative of its output, each side's loss's that of its value",
        numerical.own_derivatives,
        without_slope,
        alone=True,
    ),
    Check("modes", "training and evaluation reach every module", modes.modes),
    Check("optimizer", "equal gradients move parameters and state equally", optimizers.equal_gradients, untrained),
    Check("resync", "20 training steps, each from the same state", resync.resynchronised, untrained),
    Check("curve", "50 free steps inside the envelope", curves.free, not_free),
    Check("workers", "the mean gradient of 1, 2 and 3 workers that share a batch", workers.shared, not_shared),
)

# Of the reference's runs on a device; what the others judge beside it runs on the CPU, whose floors are the measure.
ON_DEVICE = Check("device", "on a device the reference repeats itself, and lies within the floors", device.on_device)


def battery_on(device: str) -> tuple[Check, ...]:
    return BATTERY if device == "cpu" else (*BATTERY, ON_DEVICE)


CHECKS_BY_NAME = {check.name: check for check in BATTERY}
