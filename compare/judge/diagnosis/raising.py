"""What a side raises while a check runs: said in one line, with the module where it begins and the side to blame."""

from collections.abc import Mapping
from contextlib import suppress
from traceback import walk_tb
from types import FrameType

from twofold.compare.judge.diagnosis.conventions import first_settings
from twofold.compare.judge.evidence.trial import Trial
from twofold.compare.judge.finding import Blame, Divergence
from twofold.compare.sides import Reference, Side
from twofold.compare.sides.trace import Trace, call_of
from twofold.scratch.module import Array


def raiser(trial: Trial, error: Exception) -> Blame:
    """The side whose code raised, if one did; where names differ, neither can take the other's state."""
    with suppress(Exception):  # a side that cannot be built is itself what raised
        if trial.scratch().state().keys() != trial.reference().state().keys():
            return Blame("conventions", "the two sides name their tensors otherwise")
        if told := first_settings(trial):
            return Blame("conventions", told)
        if refused(trial, error):
            return Blame("scratch", "the reference cannot go on from the state that a step of scratch leaves behind")
    homes = [home_of(frame.f_globals.get("__name__", "")) for frame in reversed(frames(error))]
    return Blame(next(filter(None, homes), "inconclusive"), "it raised")


def home_of(module: str) -> str:
    """The side that a module belongs to, "" for others."""
    roots = {"twofold.scratch": "scratch", "twofold.reference": "reference", "torch": "reference"}
    return next((side for root, side in roots.items() if f"{module}.".startswith(f"{root}.")), "")


def refused(trial: Trial, error: Exception) -> bool:
    """Whether a reference that began with tensors of scratch's shapes raised on a state that scratch gave it later."""
    reference = trial.reference()
    ours, theirs = ({n: a.shape for n, a in side.state().items()} for side in (trial.scratch(), reference))
    taking = [Reference.load, Reference.load_optimizer_state]
    if type(reference.optimizer).__module__.startswith("torch."):
        taking.append(Reference.step)
    codes = {method.__code__ for method in taking}
    return ours == theirs and any(frame.f_code in codes for frame in frames(error))


def frames(error: Exception) -> list[FrameType]:
    """From the outermost to the one that raised."""
    return [frame for frame, _ in walk_tb(error.__traceback__)]


def stumble(trial: Trial) -> Divergence | None:
    """The first module that gives a shape other than the reference's; else the one in which a pass raises."""
    with suppress(Exception):  # a side that cannot be built or loaded has no place
        (stage, ours), (other, theirs) = (attempted(trial, side) for side in (trial.scratch(), trial.reference()))
        places = [
            *(("forward", name) for name in misshapen(ours.outputs, theirs.outputs)),
            *(("forward", name) for name in unfinished(ours.inputs, ours.outputs) if stage == "forward"),
            *(("forward", name) for name in unfinished(theirs.inputs, theirs.outputs) if other == "forward"),
            *(("backward", name) for name in misshapen(ours.grad_inputs, theirs.grad_inputs)),
            *(("backward", name) for name in unfinished(ours.grad_outputs, ours.grad_inputs) if stage == "backward"),
        ]
        return next((Divergence(where, trial.module_of(name)) for where, name in places), None)
    return None


def attempted(trial: Trial, side: Side) -> tuple[str, Trace]:
    """The stage in which a pass raises, "" where none does, and what was recorded until then."""
    side.load(trial.state)
    stage = "forward"
    with side.watch() as trace, suppress(Exception):
        out = side.forward(trial.inputs)
        stage = "backward"
        side.backward(trial.draw_cotangents(out, trial.rng("cotangents")))
        stage = ""
    return stage, trace


def misshapen(ours: Mapping[str, Array], theirs: Mapping[str, Array]) -> list[str]:
    return [name for name in ours if name in theirs and ours[name].shape != theirs[name].shape]


def unfinished(inputs: Mapping[str, Array], outputs: Mapping[str, Array]) -> list[str]:
    """Calls that took something and gave nothing, the innermost first."""
    finished = {call_of(name) for name in outputs}
    return [name for name in reversed(list(inputs)) if call_of(name) not in finished]
