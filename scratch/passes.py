"""What stands around every forward and backward pass: it finds the call that a pass is, or is of (calls.py).

Inner passes are many, and a small net's steps short: what they go through is told first, and kept short.
"""

import inspect
import threading
from collections.abc import Callable
from functools import wraps
from typing import Any

from twofold.scratch.calls import BACK, WRITES, Again, Call, Calls, Mark, put
from twofold.scratch.tree import NOTHING, Node

Method = Callable[..., Any]
Given = tuple[Any, ...]
Named = dict[str, Any]
NONE: Named = {}


class Running(threading.local):
    """What a thread is in."""

    def __init__(self) -> None:
        self.now: Any = None  # a call or a node


running = Running()


def begins(forward: Method) -> Method:
    """A `forward` whose every run is a call, but for what a class asks of the one above it."""

    def begun(module: Any, *given: Any, **named: Any) -> Any:
        now = running.now
        if now is None:
            return from_outside(forward, module, given, named)
        if now.state:
            return within(now, forward, module, given, named, made)
        before, module._within = module._within, now
        if before is not None and (before is now or not before.taken):
            now.meets(module, before, type(module).forward is made)
        return forward(module, *given, **named)

    def alone(module: Any, x: Any) -> Any:
        now = running.now
        if now is None:
            return from_outside(forward, module, (x,), NONE)
        if now.state:
            return within(now, forward, module, (x,), NONE, made)
        before, module._within = module._within, now
        if before is not None and (before is now or not before.taken):
            now.meets(module, before, type(module).forward is made)
        return forward(module, x)

    made = wrapped(begins, forward, alone if takes_alone(forward, "x") else begun)
    return made


def takes(backward: Method) -> Method:
    """A `backward` or `accumulate` that takes back the last call that waits, and finds its cache."""

    def taken(module: Any, *given: Any, **named: Any) -> Any:
        now = running.now
        if now is not None and now.state == BACK:
            return backward(module, *given, **named)
        return back(backward, module, given, named)

    def alone(module: Any, dout: Any) -> Any:
        now = running.now
        if now is not None and now.state == BACK:
            return backward(module, dout)
        return back(backward, module, (dout,), NONE)

    return wrapped(takes, backward, alone if takes_alone(backward, "dout") else taken)


def takes_alone(method: Method, name: str) -> bool:
    """Whether it takes one array by this name, as nearly all do: to pass on whatever is given takes twice as long."""
    given = list(inspect.signature(method).parameters.values())
    return [one.name for one in given] == ["self", name] and given[1].default is given[1].empty


def wrapped(watch: Callable[[Method], Method], method: Method, in_its_place: Method) -> Method:
    """With what made it, by which a changed method in its place becomes such a one too."""
    made = wraps(method)(in_its_place)
    made.watch = watch  # type: ignore[attr-defined]
    return made


def within(now: Any, forward: Method, module: Any, given: Given, named: Named, made: Method) -> Any:
    """A call within one that writes, or within a backward pass."""
    if now.state != WRITES:
        return once_again(forward, module, given, named)
    start = len(now)
    put(module, module.cache, now)
    out = forward(module, *given, **named)
    if type(module).forward is made:
        now.append((start, module, module.cache))
    return out


def from_outside(forward: Method, module: Any, given: Given, named: Named) -> Any:
    calls, training = module.__dict__.get("_calls"), module.training
    if calls is None:
        calls = module.__dict__["_calls"] = Calls()
    newest = calls.newest
    if training is True and calls.plain and newest.taken:
        call = Mark()
        newest.cache = NOTHING  # its memory serves again
    else:
        call = calls.begin(bool(training))
    before, module._within = module._within, call
    if before is not None and not before.taken:
        before.over(module)
    running.now = call
    try:
        out = forward(module, *given, **named) if named else forward(module, *given)
    except BaseException as error:
        calls.newest, calls.plain, call.taken = None, False, True
        if isinstance(error, Again):
            calls.several = True
            told = f"one call of each part, as in its first calls, found {error} called again"
            raise RuntimeError(f"{type(module).__name__} expected {told}; from now on that is right") from None
        raise
    finally:
        running.now = None
    call.cache, call.state = module.cache, BACK
    if newest is not calls.newest or not calls.plain:
        calls.plain = type(call) is Mark and not calls.older
        if isinstance(call, Call):
            call.ended(module)
    calls.newest = call
    return out


def once_again(forward: Method, module: Any, given: Given, named: Named) -> Any:
    """A call within a backward pass, to compute something again: it is of the call that is taken back there."""
    outer, call = running.now, Call(bool(module.training))
    running.now = call
    put(module, module.cache, call)
    try:
        out = forward(module, *given, **named)
    finally:
        running.now = outer
    call.taken = True
    if isinstance(outer, Node):
        outer.add(module, Node.of(call, module.cache))
    return out


def back(backward: Method, module: Any, given: Given, named: Named) -> Any:
    """The way back of a call from outside, or of one within where some module was called several times."""
    calls = module.__dict__.get("_calls")
    if calls is None or not calls.plain or running.now is not None:
        return back_of(*coming(module), backward, module, given, named)
    call = calls.newest
    if call.taken or call.kept is not None:
        call.give_back(module)
    running.now = call
    try:
        out = backward(module, *given, **named) if named else backward(module, *given)
    finally:
        running.now = None
    call.taken = True
    return out


def back_of(
    call: Mark | Call | None,
    maker: Node | None,
    node: Node | None,
    backward: Method,
    module: Any,
    given: Given,
    named: Named,
) -> Any:
    outer = running.now
    if call is not None:
        call.give_back(module)
    if node is not None and node is not outer:
        node.begin(module)
    running.now = call if node is None else node
    try:
        out = backward(module, *given, **named)
    finally:
        running.now = outer
    if call is not None:
        module._calls.took(call)
    elif maker is not None:
        maker.done(node)
    return out


def coming(module: Any) -> tuple[Mark | Call | None, Node | None, Node | None]:
    """What a backward pass of a module is of: its call from outside, or what it was called in; and what runs then.

    Raises RuntimeError where there is none.
    """
    outer = running.now
    if isinstance(outer, Node):
        node = outer.next(module)
        return (None, None, outer) if node is None else (None, outer, node)
    calls: Calls | None = module.__dict__.get("_calls")
    made, whole = calls.all() if calls else [], module._within
    if whole is not None and all(call.taken for call in made) and all(whole is not call for call in made):
        if isinstance(whole, Mark):  # by hand what a net called
            return None, None, None
        maker = whole.tree().maker(module)
        if maker is not None and (node := maker.next(module)) is not None:
            return None, maker, node
    if calls and made:
        call = calls.next(module)
        return call, None, call.root
    if whole is None and not any(hasattr(part, "forward") for part in vars(module).values()):
        raise RuntimeError(f"{type(module).__name__} expected a forward pass before its backward pass, found none")
    return None, None, None  # of what was put in the place of `forward`, or of modules that were called by hand


def last_of(module: Any) -> Any:
    """By what a watch knows the call that a module just ended."""
    now = running.now
    if now is None:
        calls = module.__dict__.get("_calls")
        return calls.newest if calls else None
    if isinstance(now, Node):
        return now.last()
    return now if isinstance(now, Mark) else now[-1] if now else None


def next_of(module: Any) -> Any:
    """By what it knows the call that the module's next backward pass is of."""
    now = running.now
    if isinstance(now, Mark):
        return now
    if isinstance(now, Call):
        return next((entry for entry in reversed(now) if entry[1] is module), None)
    call, _, node = coming(module)
    if call is not None:
        return call
    return node.token if node is not None else module._within
