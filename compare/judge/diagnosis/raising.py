"""What a side raises while a check runs: said in one line, with the module where it begins and the side to blame."""

from collections.abc import Mapping
from contextlib import suppress
from traceback import walk_tb
from types import FrameType
from typing import Any

import numpy as np

from twofold.compare import nest
from twofold.compare.judge.diagnosis.conventions import first_settings
from twofold.compare.judge.evidence.trial import Trial
from twofold.compare.judge.finding import Blame, Divergence, raised
from twofold.compare.pair import Case, SideName, Twin
from twofold.compare.sides import Reference, Scratch, Side
from twofold.compare.sides.trace import Trace, call_of
from twofold.scratch.layers.linear import Linear
from twofold.scratch.module import Array

DRAWS = 20  # of inputs and targets: a class too many need not be in the first


def raiser(trial: Trial, error: Exception) -> Blame:
    """The side whose code raised, if one did; where names differ, neither can take the other's state."""
    if told := wrong_pair(trial.case, trial.dtype, trial.device, trial.seed):
        return Blame("pair", told)
    with suppress(Exception):  # a side that cannot be built is itself what raised
        if trial.scratch().state().keys() != trial.reference().state().keys():
            return Blame("conventions", "the two sides name their tensors otherwise")
        if told := first_settings(trial):
            return Blame("conventions", told)
        if refused(trial, error):
            return Blame("scratch", "the reference cannot go on from the state that a step of scratch leaves behind")
    if refuses(error):
        return Blame("inconclusive", "one side refuses the arguments that the other takes")
    homes = [home_of(frame.f_globals.get("__name__", "")) for frame in reversed(frames(error))]
    if not any(homes):  # code of somebody else's
        raising = by_itself(trial.case, trial.dtype, trial.device, trial.inputs, trial.target)
        homes = [side for side, told in raising.items() if told]
    return Blame(next(filter(None, homes), "inconclusive"), "it raised")


def wrong_pair(case: Case, dtype: str, device: str, seed: int) -> str:
    """What shows that the pair itself is wrong: each side by itself raises on it, or one does not know an argument."""
    rng = np.random.default_rng(seed)
    for _ in range(DRAWS):
        inputs = nest.apply(lambda draw: draw(rng, dtype), case.inputs)
        target = case.target(rng, dtype) if case.target else None
        raising = by_itself(case, dtype, device, inputs, target)
        for side, error in raising.items():
            if error and unknown_argument(error):
                return f"{side} does not take what both are built with: {raised(error)}"
        if all(raising.values()):
            told = (f"{side} {raised(error)}" for side, error in raising.items() if error)
            return f"both sides raise: {'; '.join(told)}"
    return ""


def by_itself(
    case: Case, dtype: str, device: str, inputs: Any, target: Array | None
) -> dict[SideName, Exception | None]:
    """What each side raises with its own first weights, and nothing of the other's: built, forward, loss, backward."""
    given = case.model, case.loss, case.optimizer, dtype

    def attempt(name: SideName) -> Exception | None:
        more: dict[str, Any] = {"penalty": case.penalty, "clip": case.clip}
        try:
            side = Scratch(*given, **more) if name == "scratch" else Reference(*given, device, **more)
            side.forward(inputs)
            if target is not None:
                side.loss(target)
                side.backward()
        except Exception as error:
            return error
        return None

    return {"scratch": attempt("scratch"), "reference": attempt("reference")}


def refuses(error: Exception) -> bool:
    """Whether a side would not be built with what it was given, a rate below zero for instance."""
    return isinstance(error, TypeError | ValueError) and any(f.f_code is Twin.build.__code__ for f in frames(error))


def unknown_argument(error: Exception) -> bool:
    """Whether it was raised where a twin is built, and not within what it builds."""
    inner = frames(error)[-1].f_code
    return isinstance(error, TypeError) and inner in (Twin.build.__code__, Linear.__init__.__code__)


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
            *(("backward", name) for name in unreached(theirs) if other == "backward"),
        ]
        return next((Divergence(where, trial.module_of(name)) for where, name in places), None)
    return None


def unreached(trace: Trace) -> list[str]:
    """The calls of a reference that got something back and sent nothing on, the innermost first.

    An autograd function that raises stands in the last of them, or before it in a module that got nothing any more.
    """
    sent = {call_of(name) for name in trace.grad_inputs}
    asked = {call_of(name) for name in trace.grad_outputs}
    calls = list(dict.fromkeys(call_of(name) for name in trace.inputs))
    return [call for call in calls if call in asked and call not in sent] or [
        call for call in reversed(calls) if call not in asked
    ]


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
