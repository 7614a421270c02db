"""The battery: each check is a function from a trial to the quantities that it judged."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from twofold.compare.judge.checks import contract, curves, exact, modes, numerical, optimizers, resync, variants
from twofold.compare.judge.diagnosis.arbiter import blame
from twofold.compare.judge.diagnosis.raising import raised, raiser, stumble
from twofold.compare.judge.diagnosis.recurrence import of_trial
from twofold.compare.judge.evidence.floor import Quantity, Verdict
from twofold.compare.judge.evidence.trial import Divergence, Trial, Unrepeatable, leaves
from twofold.compare.judge.finding import Finding, gravest, waived


@dataclass(frozen=True)
class Check:
    """`run` judges; `lacking` says what the check needs and the trial has not; `locate` names the first to differ.

    `of` is the trial in which that is looked for, where it is not the given one.
    """

    name: str
    proves: str
    run: Callable[[Trial], Iterable[Quantity]]
    lacking: Callable[[Trial], str] = lambda trial: ""
    locate: Callable[[Trial], Divergence | None] = lambda trial: None
    of: Callable[[Trial], Trial] = lambda trial: trial

    def __call__(self, trial: Trial) -> Finding:
        """Whatever a side raises while it runs is a failure, said in one line."""
        try:
            reason = self.lacking(trial)
            if reason:
                return Finding(self.name, Verdict.NOT_APPLICABLE, reason=reason)
            quantities = tuple(self.run(trial))
        except Unrepeatable as error:
            return Finding(self.name, Verdict.INCONCLUSIVE, reason=str(error))
        except Exception as error:
            where, guilt = stumble(trial), raiser(trial, error)
            return Finding(self.name, Verdict.FAIL, reason=raised(error), first_divergence=where, blame=guilt)
        finding = waived(Finding(self.name, gravest(q.verdict for q in quantities), quantities), trial.case.waivers)
        return self.explained(finding, trial) if finding.verdict is Verdict.FAIL else finding

    def explained(self, finding: Finding, trial: Trial) -> Finding:
        """Where the failure begins and who is wrong."""
        try:
            trial = self.of(trial)
            where = self.locate(trial)
            guilt = blame(trial, finding.quantities, where)
            gates = of_trial(trial, where.module) if where else None
        except Exception as error:
            return replace(finding, reason=f"it could not be placed: {raised(error)}", blame=raiser(trial, error))
        return replace(finding, first_divergence=where, blame=guilt, gates=gates if gates and gates.first else None)


def first(trial: Trial) -> Divergence | None:
    return trial.divergence


def first_of_loss(trial: Trial) -> Divergence:
    """The outputs and what comes back through the model agree: it is the loss itself, or its gradient."""
    value, _ = trial.judged("loss")
    return Divergence("loss" if value.verdict is Verdict.FAIL else "backward", "loss")


def unseen(trial: Trial) -> str:
    if len(leaves(trial.scratch().model)) < 2:
        return "it is a single layer"
    return "" if trial.shows_modules else "the reference has no modules to watch"


def untrained(trial: Trial) -> str:
    return "" if trial.case.optimizer and trial.case.loss else "it has no loss and optimizer of its own"


BATTERY: tuple[Check, ...] = (
    Check("names", "parameters and buffers have equal names and shapes, buffers equal first values", contract.names),
    Check("load", "both sides read back bit for bit what was loaded", contract.load),
    Check("memory", "no array is shared across the border", contract.memory),
    Check(
        "exact",
        "integers agree bit for bit, ties and zeros included",
        exact.exact,
        exact.inexact,
        exact.first,
        exact.placed_in,
    ),
    Check("forward", "every module's output", lambda trial: trial.judged("forward"), locate=first),
    Check(
        "loss",
        "the loss and its gradient",
        lambda trial: trial.judged("loss"),
        lambda trial: "" if trial.case.loss else "it has no loss of its own",
        lambda trial: trial.divergence or first_of_loss(trial),
    ),
    Check(
        "gradient",
        "the gradient of every parameter and of the input",
        lambda trial: trial.judged("gradient"),
        locate=first,
    ),
    Check(
        "backward",
        "the gradient through every module",
        lambda trial: trial.judged("backward"),
        unseen,
        locate=first,
    ),
    Check(
        "chunks",
        "outputs and gradients with the thresholds of fast paths shrunk",
        variants.chunks,
        variants.unchunked,
        first,
    ),
    Check("strides", "outputs and gradients for arrays that are not contiguous", variants.strides, locate=first),
    Check("twice", "a second backward doubles exactly, and nothing is overwritten", contract.twice),
    Check(
        "numerical",
        "scratch's gradient is the derivative of scratch's output",
        numerical.directional,
        numerical.lacking,
    ),
    Check("modes", "training and evaluation reach every module", modes.modes, locate=modes.first_evaluated),
    Check(
        "optimizer",
        "equal gradients move parameters and state equally",
        optimizers.equal_gradients,
        untrained,
        optimizers.first_update,
    ),
    Check("resync", "20 training steps, each from the same state", resync.resynchronised, untrained, resync.first_step),
    Check(
        "curve",
        "50 free steps inside the envelope",
        curves.free,
        lambda t: untrained(t) or curves.no_verdict(t),
        resync.first_step,
    ),
)

CHECKS_BY_NAME = {check.name: check for check in BATTERY}
