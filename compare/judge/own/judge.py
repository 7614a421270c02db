"""The two verbs for code that is not ours."""

import shlex
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from twofold.compare.judge.own.call import Call, must_be_sound
from twofold.compare.judge.own.comparing import verdict_on
from twofold.compare.judge.own.contract import innermost_is_ours, line_of
from twofold.compare.judge.own.rules import is_rule, judge_rule
from twofold.compare.judge.own.telling.verdict import BadCall, Verdict
from twofold.compare.sides.steady import precision_kept, repeatable
from twofold.compare.threads import one_thread

DTYPES = ("float64", "float32")
LISTENERS: list[Callable[[Verdict], None]] = []  # who else is told of every verdict, as a command is


def judge(
    scratch: Any,
    reference: Any,
    *data: Any,
    loss: Any = None,
    params: Any = None,
    grads: Any = None,
    buffers: Any = None,
    modes: Any = None,
    step: Any = None,
    optimizer: Any = None,
    reference_step: Any = None,
    steps: int = 20,
    reference_data: Sequence[Any] | None = None,
    layout: Mapping[str, str] | None = None,
    dtypes: Sequence[str] = DTYPES,
    device: str = "cpu",
    seed: int = 0,
    watch: bool = True,
) -> Verdict:
    """Whether a hand-written computation is the one that torch does, and if not, who is wrong and where.

    `scratch` is called as scratch(*data), and whatever it returns is searched for loss, outputs and gradients; or it
    is a pair (forward, backward), by functions or by methods of one object; or an object with both; or, without data,
    an update rule or optimizer class, where `reference` is torch's. `reference` is an nn.Module or a function of
    tensors. `data` are arrays as scratch takes them, the target last where there is a `loss`, torch's loss(output,
    target).

    `params` is any tree of arrays, by default what scratch is bound to or closes over, and `grads` one like it, or a
    function that returns one; `buffers` what changes without a gradient. `modes` are two callables that enter training
    and evaluation. `step` is a training step of scratch's that changes params, `optimizer` a function from parameters
    to torch's optimizer, or `reference_step` torch's own step. `reference_data` are the data as torch takes them.
    `layout` says what stands for what, as a verdict prints it: {"fc1.weight": "W1.T"}. Where a difference was found
    scratch is run once more with its lines watched, to name the one with which it begins; watch=False leaves that out.

    Never raises on a difference. Raises BadCall, a ValueError, for a mistake in the call. Everything that was changed
    meanwhile, parameters, state, generators of random numbers, is put back.
    """
    __tracebackhide__ = True
    try:
        verdict = judged(scratch, reference, data, locals())
        verdict = replace(verdict, sides=(scratch, reference, loss), command=again(verdict))
        for listener in LISTENERS:
            listener(verdict)
        return verdict
    except BadCall as error:
        raise error.with_traceback(None) from None
    except Exception as error:
        if innermost_is_ours(error):
            raise
        place, told = line_of(error), f"{type(error).__name__}: {' '.join(str(error).split())}"
        where = f"{place.file}:{place.line}" if place.file else "torch"
        raise BadCall(f"expected both sides to take the data in {', '.join(dtypes)}, {where} raises {told}") from None


def again(verdict: Verdict) -> str:
    """The command that calls `judge` again as a file does; of another call the one that keeps its numbers."""
    frame = sys._getframe(1)
    while frame.f_back and frame.f_code.co_filename == __file__:
        frame = frame.f_back
    if (
        frame.f_code.co_name == "<module>"
        and frame.f_globals.get("__name__") == "__main__"
        and "__file__" in frame.f_globals
    ):
        return shlex.join(["twofold", "check", frame.f_globals["__file__"]])
    return 'verdict.reproduce("repro")' if verdict.evidence else ""


def judged(scratch: Any, reference: Any, data: tuple[Any, ...], given: Mapping[str, Any]) -> Verdict:
    started = time.perf_counter()
    with one_thread(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if is_rule(reference, data):
            verdict = judge_rule(scratch, reference, dtypes=given["dtypes"], seed=given["seed"], watch=given["watch"])
            return verdict.after(time.perf_counter() - started)
        known = {field.name for field in fields(Call)} - {"scratch", "reference", "data", "kernel", "asked"}
        call = Call(scratch, reference, data, **{name: given[name] for name in known})
        must_be_sound(call)
        with precision_kept(), repeatable(call.device):
            return verdict_on(call).after(time.perf_counter() - started)


def assert_equivalent(scratch: Any, reference: Any, *data: Any, **how: Any) -> Verdict:
    """Judges, and raises AssertionError, whose text is the verdict, unless it is "same". Takes what `judge` takes."""
    __tracebackhide__ = True
    verdict = judge(scratch, reference, *data, **how)
    if not verdict.same:
        raise AssertionError(str(verdict))
    return verdict
