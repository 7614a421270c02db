"""Which call a backward pass is of. There is no tape: of the calls that wait, the last is the first to be taken back.

A call from outside all modules waits beside its module. It holds what `forward` left in `cache`, there and in the
modules that were called in it: all of them find theirs again, those called several times one after the other.
"""

import inspect
import threading
import weakref
from collections.abc import Callable, Iterator
from functools import wraps
from itertools import count
from operator import itemgetter
from typing import Any

import numpy as np

# Of the calls from outside that nobody takes back so many are kept in each mode, and so many bytes of what they left;
# but the last one or, in training mode, three whatever they hold.
MOST_CALLS, MOST_BYTES, LEAST = 256, 1 << 24, (1, 3)

NOTHING: Any = object()  # what a module left that has no cache, or was given
Method = Callable[..., Any]
MODULE = itemgetter(1)  # of an entry
Entry = tuple[int, Any, Any]  # how long the log was when a call began, its module, and what it left


class Call:
    """One forward pass of a module, with those in it: `made` in the order in which they ended.

    Where one module was called more than once they stand as a tree, in `calls`, of which the first `left` wait.
    """

    __slots__ = ("cache", "calls", "left", "made", "method", "module", "order", "size", "token", "training")

    calls: "list[Call] | None"
    left: int
    token: Entry | None  # of one in a tree
    method: Method  # that runs
    order: int
    training: bool

    def __init__(self, module: Any, cache: Any, made: list[Entry]) -> None:
        self.module, self.cache, self.made, self.size = module, cache, made, 0
        self.calls = self.token = None
        if made:
            called = set(map(MODULE, made))
            if len(called) < len(made) or module in called:
                self.grow()

    def grow(self) -> list["Call"]:
        """Makes the tree, if there is none."""
        if self.calls is not None:
            return self.calls
        done: list[tuple[int, Call]] = []
        for entry in self.made:
            start, module, cache = entry
            call = Call(module, cache, [])
            call.calls, call.token = [], entry
            while done and done[-1][0] >= start:
                call.calls.insert(0, done.pop()[1])
            call.left = len(call.calls)
            done.append((start, call))
        self.calls = [call for _, call in done]
        self.left = len(self.calls)
        return self.calls

    def bring(self, module: Any) -> "Call | None":
        """The last that waits of a module's, brought to the end of those that wait, or the only one again, or None.

        Raises RuntimeError where several were made, and all are taken back.
        """
        calls = self.grow()
        for n in reversed(range(self.left)):
            if calls[n].module is module:
                calls.insert(self.left - 1, calls.pop(n))
                return calls[self.left - 1]
        own = [call for call in calls if call.module is module]
        if len(own) > 1:
            raise once_more(module, f"each of {len(own)} calls")
        return own[0] if own else None

    def add(self, call: "Call") -> None:
        """What its backward pass calls, to compute something again, is the first to be taken back."""
        self.grow().insert(self.left, call)
        self.left += 1

    def maker(self, module: Any) -> "Call | None":
        """The last call within this one that made one of a module's, one that waits if there is one."""
        made = [call for call in (*self.within(), self) if any(inner.module is module for inner in call.grow())]
        waits = [call for call in made if any(inner.module is module for inner in call.grow()[: call.left])]
        return next(iter((waits or made)[::-1]), None)

    def within(self) -> Iterator["Call"]:
        for call in self.grow():
            yield call
            yield from call.within()

    def bytes(self) -> int:
        """What it holds, about."""
        caches = [self.cache, *(cache for _, _, cache in self.made)]
        return sum(500 + sum(array.nbytes for array in arrays(cache)) for cache in caches)


def arrays(nested: Any) -> Iterator[Any]:
    """Those in tuples, lists and dicts."""
    if isinstance(nested, np.ndarray):
        yield nested
    elif isinstance(nested, tuple | list | dict):
        for part in nested.values() if isinstance(nested, dict) else nested:
            yield from arrays(part)


def once_more(module: Any, expected: str) -> RuntimeError:
    return RuntimeError(f"{type(module).__name__}: expected a backward pass for {expected}, found one more")


class Outside:
    """The calls of a module from outside all modules by mode, evaluation's and training's, each with its own."""

    def __init__(self) -> None:
        self.waiting: tuple[list[Call], list[Call]] = [], []
        self.taken: tuple[list[Call], list[Call]] = [], []
        self.size, self.forgotten = [0, 0], False
        self.itself = weakref.ref(self)

    def begin(self, training: bool) -> None:
        """Before a new call: lets go what its mode took back, and of what nobody took back the oldest."""
        if self.taken[training]:
            self.taken[training].clear()
            self.forgotten = False
        if waiting := self.waiting[training]:
            waiting[-1].size = waiting[-1].bytes()
            self.size[training] += waiting[-1].size
            while len(waiting) >= MOST_CALLS or (self.size[training] > MOST_BYTES and len(waiting) >= LEAST[training]):
                self.size[training] -= waiting.pop(0).size
                self.forgotten = True

    def last(self) -> Call | None:
        """The newest that waits, else that was taken back."""
        for both in self.waiting, self.taken:
            if found := [calls[-1] for calls in both if calls]:
                return max(found, key=lambda call: call.order)
        return None

    def next(self, module: Any) -> Call:
        """The last that waits, in training mode of those in training mode, or the mode's only one once more.

        Raises RuntimeError where there is none.
        """
        name, training = type(module).__name__, bool(module.training)
        waiting, others, taken = self.waiting[training], self.waiting[not training], self.taken[training]
        newer = others and all(call.order < others[-1].order for call in (*waiting[-1:], *taken[-1:]))
        if newer and not training:
            return others[-1]
        if waiting:
            return waiting[-1]
        if len(taken) > 1 or (taken and self.forgotten):
            raise once_more(module, "more calls than are kept" if self.forgotten else f"each of {len(taken)} calls")
        if taken and newer:
            raise RuntimeError(
                f"{name}: expected a forward pass in the mode of its backward pass, found the other mode"
            )
        return (taken or others or self.taken[not training])[-1]

    def done(self, call: Call) -> None:
        """After its backward pass."""
        call.order = next(orders)
        waiting = self.waiting[call.training]
        if waiting and waiting[-1] is call:
            self.taken[call.training].append(waiting.pop())
            self.size[call.training] -= call.size


class Running(threading.local):
    """What a thread is in: the calls that ended within the one from outside, and the way back of which call."""

    def __init__(self) -> None:
        self.log: list[Any] = []
        self.backward: Call | None = None
        self.last: Callable[[], Outside | None] = lambda: None


running, orders = Running(), count()


def begins(forward: Method) -> Method:
    """A `forward` whose every run is a call, but for what a class asks of the one above it."""

    @wraps(forward)
    def begun(module: Any, x: Any = NOTHING, /, *more: Any, **named: Any) -> Any:
        log = running.log
        start = len(log)
        if not start:
            return from_outside(forward, log, module, x, more, named)
        out = run(forward, module, x, more, named) if more or named or x is NOTHING else forward(module, x)
        if type(module).forward is begun:
            log.append((start, module, module.__dict__.get("cache", NOTHING)))
        return out

    @wraps(forward)
    def alone(module: Any, x: Any) -> Any:
        log = running.log
        start = len(log)
        if not start:
            return from_outside(forward, log, module, x, (), {})
        out = forward(module, x)
        if type(module).forward is alone:
            log.append((start, module, module.__dict__.get("cache", NOTHING)))
        return out

    return watched(alone if takes_alone(forward, "x") else begun, begins)


def takes_alone(method: Method, name: str) -> bool:
    """Whether it takes one array by this name, as nearly all do: to pass on whatever is given takes twice as long."""
    given = list(inspect.signature(method).parameters.values())
    return [one.name for one in given] == ["self", name] and given[1].default is given[1].empty


def watched(method: Method, watch: Callable[[Method], Method]) -> Method:
    """With what made it, by which a changed method in its place becomes such a one too."""
    method.watch = watch  # type: ignore[attr-defined]
    return method


def run(method: Method, module: Any, x: Any, more: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """With whatever it was given."""
    return method(module, **named) if x is NOTHING else method(module, x, *more, **named)


def from_outside(
    forward: Method, log: list[Any], module: Any, x: Any, more: tuple[Any, ...], named: dict[str, Any]
) -> Any:
    """A call within no other; one within a backward pass is of the call that is taken back there."""
    outer, training = running.backward, module.training
    if outer is None:
        outside = module.__dict__.get("_outside")
        if outside is None:
            outside = module.__dict__["_outside"] = Outside()
        outside.begin(training)
    log.append(None)  # so that it is seen to run
    try:
        out = run(forward, module, x, more, named) if more or named or x is NOTHING else forward(module, x)
        call = Call(module, module.__dict__.get("cache", NOTHING), log[1:])
    finally:
        log.clear()
    if outer is not None:
        outer.add(call)
        return out
    call.module, call.training, call.order = None, training, next(orders)  # no ring of references
    outside.waiting[training].append(call)
    if call.made:
        running.last = outside.itself
    return out


def takes(backward: Method) -> Method:
    """A `backward` or `accumulate` that takes back the last call that waits, and finds its cache."""

    @wraps(backward)
    def taken(module: Any, dout: Any = NOTHING, /, *more: Any, **named: Any) -> Any:
        outer = running.backward
        if outer is None or outer.calls is not None:
            return back(backward, outer, module, dout, more, named)
        # its cache was given back with the net's
        return run(backward, module, dout, more, named) if more or named or dout is NOTHING else backward(module, dout)

    @wraps(backward)
    def alone(module: Any, dout: Any) -> Any:
        outer = running.backward
        if outer is None or outer.calls is not None:
            return back(backward, outer, module, dout, (), {})
        return backward(module, dout)

    return watched(alone if takes_alone(backward, "dout") else taken, takes)


def back(
    backward: Method, outer: Call | None, module: Any, dout: Any, more: tuple[Any, ...], named: dict[str, Any]
) -> Any:
    """The way back of a call from outside, or of one within where some module was called more than once."""
    if outer is not None and outer.module is module and outer.method is not backward:
        return run(backward, module, dout, more, named)  # what a backward asks of the same module is of the same call
    maker, call = coming(module, outer)
    call.module, call.method = module, backward
    if call.cache is not NOTHING:
        module.cache = call.cache
    if call.calls is not None:
        call.left = len(call.calls)
    else:
        for _, inner, cache in call.made:  # each was called once
            if cache is not NOTHING:
                inner.cache = cache
    running.backward = call
    try:
        out = run(backward, module, dout, more, named) if more or named or dout is NOTHING else backward(module, dout)
    finally:
        running.backward = outer
        if maker is None:
            call.module = None
    if maker is None:
        if outside := module.__dict__.get("_outside"):
            outside.done(call)
    elif maker.left and maker.grow()[maker.left - 1] is call:
        maker.left -= 1
    return out


def coming(module: Any, outer: Call | None) -> tuple[Call | None, Call]:
    """The call that a backward pass of a module is of, after the one that it was made in, if it was.

    Raises RuntimeError where there is none.
    """
    outside = module.__dict__.get("_outside")
    if outer is not None:
        if (call := outer.bring(module)) is not None:
            return outer, call
    elif outside is not None and module.training and (waiting := outside.waiting[1]):
        return None, waiting[-1]
    if outside is not None and any(outside.waiting):
        return None, outside.next(module)
    last = running.last()
    if last is not None and last is not outside and (whole := last.last()):  # by hand what a call of another made
        maker = whole.maker(module)
        if maker is not None and (call := maker.bring(module)) is not None:
            return maker, call
    if outside is not None and any(outside.taken):
        return None, outside.next(module)
    if "cache" not in module.__dict__:
        raise RuntimeError(f"{type(module).__name__}: expected a forward pass before its backward pass, found none")
    return None, Call(module, NOTHING, [])  # of what was put in the place of `forward`


def last_of(module: Any) -> Any:
    """By what a watch knows the call that a module just ended."""
    if running.log:
        return running.log[-1]
    outer = running.backward
    if outer is not None:
        call = outer.grow()[outer.left - 1]
        return call if call.token is None else call.token
    outside = module.__dict__.get("_outside")
    return outside and outside.last()


def next_of(module: Any) -> Any:
    """By what it knows the call that the module's next backward pass is of."""
    outer = running.backward
    if outer is None or outer.calls is not None:
        call = coming(module, outer)[1]
        return call if call.token is None else call.token
    return next((entry for entry in reversed(outer.made) if entry[1] is module), None)
