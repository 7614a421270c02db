"""Which call a backward pass is of. There is no tape: of the calls that wait, the last is the first to be taken back.

A call from outside all modules is kept beside its module. It holds what `forward` left in `cache`, there and in every
module within, and all find theirs again in its backward pass; where one was called several times (tree.py), each in
turn.
"""

import inspect
import threading
import weakref
from collections.abc import Callable
from functools import wraps
from operator import itemgetter
from typing import Any

from twofold.scratch.changes import arrays, changed, noted
from twofold.scratch.tree import NOTHING, Entry, Node, once_more

# Of the calls from outside that nobody takes back so many are kept of each mode, evaluation's and training's, and so
# many bytes of what they left; but whatever they hold the last one or, in training mode, three.
MOST_CALLS, MOST_BYTES, LEAST = 256, (1 << 24, 1 << 28), (1, 3)
WATCHED = 3  # of a module's first calls in training mode: who changes arrays in place does so from the first step

Method = Callable[..., Any]
MODULE = itemgetter(1)  # of an entry
FORTH, STRAIGHT = 0, 1  # what a call is in: its forward pass, or a backward pass in which each module was called once


class Call(list[Entry]):
    """One from outside all modules: what was called within, in the order in which it ended."""

    cache: Any  # of the module itself
    root: Node | None = None  # where a module was called several times
    size = -1

    def __init__(self, training: bool) -> None:
        self.training, self.taken, self.state = training, False, FORTH

    def ended(self, module: Any) -> None:
        """Of one that is plain in no way."""
        called = set(map(MODULE, self))
        if len(called) < len(self) or module in called:
            self.tree()

    def tree(self) -> Node:
        if self.root is None:
            self.root = Node.of(self, self.cache)
        return self.root

    def give_back(self, module: Any) -> None:
        """Puts every cache where its module left it."""
        module.cache = self.cache
        for _, inner, cache in self:
            if cache is not NOTHING:
                inner.cache = cache

    def bytes(self) -> int:
        """What it holds, about."""
        if self.size < 0:
            caches = [self.cache, *(cache for _, _, cache in self)]
            self.size = sum(500 + sum(array.nbytes for array in arrays(cache)) for cache in caches)
        return self.size


class Watched(Call):
    """A call whose arrays may not be changed in place before its backward pass."""

    def __init__(self, training: bool) -> None:
        super().__init__(training)
        self.seen: list[Any] = []

    def append(self, entry: Entry) -> None:
        super().append(entry)
        self.seen.append(noted(entry[1]))

    def ended(self, module: Any) -> None:
        super().ended(module)
        self.seen.append(noted(module))

    def give_back(self, module: Any) -> None:
        """Raises RuntimeError where an array has changed."""
        for kind, kept in self.seen:
            if name := changed(kept):
                raise RuntimeError(f"{kind} expected its {name} as its forward pass left it, found it changed in place")
        super().give_back(module)


class Calls:
    """A module's from outside all modules: the newest, and those before it that it did not take the place of."""

    __slots__ = ("__weakref__", "forgotten", "newest", "older", "plain", "ready", "watched")

    newest: Call | None
    older: list[Call]
    plain: Call | None  # the only one, where it waits and each module was called once
    ready: bool | None  # the mode of the only one, where it is taken back and another may take its place

    def __init__(self) -> None:
        self.newest, self.older, self.plain, self.ready = None, [], None, None
        self.forgotten, self.watched = False, 0

    def all(self) -> list[Call]:
        return [*self.older, *([self.newest] if self.newest is not None else [])]

    def begin(self, training: bool) -> Call:
        """A new one. Lets go what its mode has taken back, and of what nobody took back the oldest."""
        calls, self.newest, self.plain, self.ready = self.all(), None, None, None
        if any(call.taken for call in calls if call.training is training):
            calls = [call for call in calls if call.training is not training or not call.taken]
            self.forgotten = False
        waiting = [call for call in calls if call.training is training]
        size = sum(call.bytes() for call in waiting)
        while len(waiting) >= MOST_CALLS or (size > MOST_BYTES[training] and len(waiting) >= LEAST[training]):
            oldest = waiting.pop(0)
            size -= oldest.bytes()
            calls = [call for call in calls if call is not oldest]
            self.forgotten = True
        self.older = calls
        if training and self.watched < WATCHED:
            self.watched += 1
            return Watched(training)
        return Call(training)

    def next(self, module: Any) -> Call:
        """The last that waits, in training mode of those in training mode, or the only one once more.

        Raises RuntimeError where there is none.
        """
        calls = self.all()
        if len(calls) == 1 and not self.forgotten:
            return calls[0]
        newest = calls[-1].training
        mode = any(call.training for call in calls) if module.training else newest
        own = [call for call in calls if call.training is mode]
        waiting = [call for call in own if not call.taken]
        if waiting:
            return waiting[-1]
        kind = type(module).__name__
        if newest is not mode:
            raise RuntimeError(f"{kind} expected a forward pass in the mode of its backward pass, found the other mode")
        if len(own) > 1 or self.forgotten:
            raise once_more(kind, "more calls than are kept" if self.forgotten else f"each of {len(own)} calls")
        return own[-1]

    def took(self, call: Call) -> None:
        """After its backward pass: it is the newest that anything was done with."""
        call.taken, self.plain = True, None
        if self.newest is not call:
            self.older, self.newest = [other for other in self.all() if other is not call], call
        if not self.older and type(call) is Call and call.root is None:
            self.ready, call.size = call.training, -1


class Running(threading.local):
    """What a thread is in."""

    def __init__(self) -> None:
        self.now: Any = None  # the call or node that runs
        self.last: Callable[[], Calls | None] = lambda: None  # of the net that was called last


running = Running()


def begins(forward: Method) -> Method:
    """A `forward` whose every run is a call, but for what a class asks of the one above it."""

    def begun(module: Any, *given: Any, **named: Any) -> Any:
        call = running.now
        if call is None or call.state:
            return from_outside(lambda module, _: forward(module, *given, **named), module, None)
        start = len(call)
        out = forward(module, *given, **named)
        if type(module).forward is made:
            call.append((start, module, module.cache))
        return out

    def alone(module: Any, x: Any) -> Any:
        call = running.now
        if call is None or call.state:
            return from_outside(forward, module, x)
        start = len(call)
        out = forward(module, x)
        if type(module).forward is made:
            call.append((start, module, module.cache))
        return out

    made = watched(begins, forward, alone if takes_alone(forward, "x") else begun)
    return made


def takes(backward: Method) -> Method:
    """A `backward` or `accumulate` that takes back the last call that waits, and finds its cache."""

    def taken(module: Any, *given: Any, **named: Any) -> Any:
        now = running.now
        if now is not None and now.state == STRAIGHT:
            return backward(module, *given, **named)
        return back(lambda module, _: backward(module, *given, **named), module, None)

    def alone(module: Any, dout: Any) -> Any:
        now = running.now
        if now is not None and now.state == STRAIGHT:
            return backward(module, dout)
        return back(backward, module, dout)

    return watched(takes, backward, alone if takes_alone(backward, "dout") else taken)


def takes_alone(method: Method, name: str) -> bool:
    """Whether it takes one array by this name, as nearly all do: to pass on whatever is given takes twice as long."""
    given = list(inspect.signature(method).parameters.values())
    return [one.name for one in given] == ["self", name] and given[1].default is given[1].empty


def watched(watch: Callable[[Method], Method], method: Method, in_its_place: Method) -> Method:
    """With what made it, by which a changed method in its place becomes such a one too."""
    made = wraps(method)(in_its_place)
    made.watch = watch  # type: ignore[attr-defined]
    return made


def from_outside(forward: Method, module: Any, x: Any) -> Any:
    """A call within no other."""
    if running.now is not None:
        return once_again(forward, module, x)
    calls, training = module.__dict__.get("_calls"), module.training
    if calls is None:
        calls = module.__dict__["_calls"] = Calls()
    if calls.ready is training:
        call, calls.ready = calls.newest, None
        call.clear()
        call.taken, call.state = False, FORTH
    else:
        call = calls.begin(bool(training))
    running.now = call
    try:
        out = forward(module, x)
    except BaseException:
        calls.newest = None
        raise
    finally:
        running.now = None
    calls.newest, call.cache, call.state = call, module.cache, STRAIGHT
    if call:
        running.last = weakref.ref(calls)
    if call or type(call) is Watched:
        call.ended(module)
    if not calls.older and call.root is None and type(call) is Call:
        calls.plain = call
    return out


def once_again(forward: Method, module: Any, x: Any) -> Any:
    """A call within a backward pass, to compute something again: it is of the call that is taken back there."""
    outer, call = running.now, Call(bool(module.training))
    running.now = call
    try:
        out = forward(module, x)
    finally:
        running.now = outer
    if isinstance(outer, Node):
        outer.add(module, Node.of(call, module.cache))
    return out


def back(backward: Method, module: Any, dout: Any) -> Any:
    """The way back of a call from outside, or of one within where some module was called several times."""
    outer, calls = running.now, module.__dict__.get("_calls")
    if outer is not None or calls is None or calls.plain is None:
        return back_of(*coming(module), backward, module, dout)
    call = calls.plain
    module.cache = call.cache
    for _, inner, cache in call:
        if cache is not NOTHING:
            inner.cache = cache
    running.now = call
    try:
        out = backward(module, dout)
    finally:
        running.now = None
    call.taken, calls.plain, calls.ready = True, None, call.training
    return out


def back_of(call: Call | None, maker: Node | None, node: Node | None, backward: Method, module: Any, dout: Any) -> Any:
    outer = running.now
    if call is not None:
        call.give_back(module)
    if node is not None and node is not outer:
        node.begin(module)
    running.now = call if node is None else node
    try:
        out = backward(module, dout)
    finally:
        running.now = outer
    if call is not None:
        module._calls.took(call)
    elif maker is not None:
        maker.done(node)
    return out


def coming(module: Any) -> tuple[Call | None, Node | None, Node | None]:
    """What a backward pass of a module is of: its call from outside, or what it was called in; and what runs then.

    Raises RuntimeError where there is none.
    """
    outer = running.now
    if isinstance(outer, Node):
        node = outer.next(module)
        return (None, None, outer) if node is None else (None, outer, node)
    calls: Calls | None = module.__dict__.get("_calls")
    made = calls.all() if calls else []
    if all(call.taken for call in made):
        last = running.last()
        whole = last.newest if last and last is not calls else None
        if whole is not None and any(entry[1] is module for entry in whole):  # by hand what a net called
            maker = whole.tree().maker(module)
            if maker is not None and (node := maker.next(module)) is not None:
                return None, maker, node
    if calls and made:
        call = calls.next(module)
        return call, None, call.root
    if module.cache is NOTHING and not any(hasattr(part, "forward") for part in vars(module).values()):
        raise RuntimeError(f"{type(module).__name__} expected a forward pass before its backward pass, found none")
    return None, None, None  # by hand what a net called before another, or what was put in the place of `forward`


def last_of(module: Any) -> Any:
    """By what a watch knows the call that a module just ended."""
    now = running.now
    if now is None:
        calls = module.__dict__.get("_calls")
        return calls.newest if calls else None
    return now.last() if isinstance(now, Node) else now[-1] if now else None


def next_of(module: Any) -> Any:
    """By what it knows the call that the module's next backward pass is of."""
    now = running.now
    if isinstance(now, Call):
        return next((entry for entry in reversed(now) if entry[1] is module), None)
    call, _, node = coming(module)
    return node.token if node is not None and call is None else call
