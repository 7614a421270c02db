"""Which call a backward pass is of. There is no tape: of the calls that wait, the last is the first to be taken back.

A call from outside all modules is kept beside its module, and every module within knows in which it ran last. It writes
down what `forward` left in `cache`, there and in every module within, so that all find theirs again in its backward
pass; where one was called several times (tree.py), each in turn. In training only a module's first calls write: where
no part was called twice in them, caches stay in place, and a later call that takes the place of one keeps it.
"""

import inspect
import threading
from collections.abc import Callable
from functools import wraps
from operator import itemgetter
from typing import Any

from twofold.scratch.changes import arrays, changed, noted
from twofold.scratch.tree import NOTHING, Entry, Node, once_more

# Of the calls from outside that nobody takes back so many are kept of each mode, evaluation's and training's, and so
# many bytes of what they left; but whatever they hold the last one or, in training mode, three.
MOST_CALLS, MOST_BYTES, LEAST = 256, (1 << 24, 1 << 28), (1, 3)
# Of a module's calls in training mode so many are written down, and their arrays watched: who changes one in place, or
# calls a part twice, does so from the first step.
FIRST = 3

Method = Callable[..., Any]
Given = tuple[Any, ...]
Named = dict[str, Any]
NONE: Named = {}
MODULE = itemgetter(1)  # of an entry
MARKS, WRITES, BACK = 0, 1, 2  # what a call is at: a forward pass of either kind, or its backward pass


class Mark:
    """A call from outside whose modules are called once: their caches stay in place, but for those `kept` here."""

    training, root = True, None
    taken, state, size = False, MARKS, 0
    cache: Any = NOTHING  # of the module itself
    kept: dict[Any, Any] | None = None

    def meets(self, module: Any, before: "Mark | Call", again: bool) -> None:
        """On its way a module that waits: in another call, which keeps its cache, or in this one."""
        if before is not self:
            before.over(module)
        elif again:
            raise Again(type(module).__name__)

    def over(self, module: Any) -> None:
        """Keeps what a module left, before another call takes the place of it."""
        if self.kept is None:
            self.kept = {}
        self.kept.setdefault(module, module.cache)

    def give_back(self, module: Any) -> None:
        """Puts every cache where its module left it. Raises RuntimeError where that is gone."""
        kept = self.kept or {}
        if self.taken:
            for _, part in module.named_modules():
                if part._within is not self and part._within is not None and part not in kept:
                    raise once_more(type(module).__name__, "the last call of its parts")
        for part, cache in kept.items():
            put(part, cache, self)
        self.kept = None
        put(module, self.cache, self)

    def bytes(self) -> int:
        """What it holds, about."""
        return held(self.cache) + sum(map(held, (self.kept or {}).values()))


class Again(Exception):
    """A module was called a second time in a call that only marks."""


class Call(list[Entry]):
    """One that writes down what was called within, in the order in which it ended."""

    root: Node | None = None  # where a module was called several times
    size = 0

    def __init__(self, training: bool) -> None:
        self.training, self.taken, self.state = training, False, WRITES
        self.cache: Any = NOTHING  # of the module itself

    def over(self, module: Any) -> None:
        """It has all that it needs."""

    def ended(self, module: Any) -> None:
        """Its forward pass."""
        called = set(map(MODULE, self))
        if len(called) < len(self) or module in called:
            self.tree()

    def tree(self) -> Node:
        if self.root is None:
            self.root = Node.of(self, self.cache)
        return self.root

    def give_back(self, module: Any) -> None:
        """Puts every cache where its module left it."""
        for _, part, cache in self:
            put(part, cache, self)
        put(module, self.cache, self)

    def bytes(self) -> int:
        """What it holds, about."""
        return held(self.cache) + sum(held(cache) for _, _, cache in self)


def put(module: Any, cache: Any, call: Mark | Call) -> None:
    """A cache in its place, and what is there into its own call, if that waits."""
    before = module._within
    if before is not None and before is not call and not before.taken:
        before.over(module)
    module._within = call
    if "cache" in vars(module):  # else it left none, or left it to the class
        module.cache = cache


def held(cache: Any) -> int:
    return 500 + sum(array.nbytes for array in arrays(cache))


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

    __slots__ = ("count", "first", "forgotten", "newest", "older", "plain", "several", "size", "spent", "watches")

    newest: Any
    older: list[Any]
    plain: bool  # whether there is the newest alone, and that only marked its modules

    def __init__(self) -> None:
        self.newest, self.older, self.plain = None, [], False
        self.forgotten = self.several = False
        self.first, self.watches = 0, True
        # of the older ones by mode: how many, how many bytes, and whether some are taken back
        self.count, self.size, self.spent = [0, 0], [0, 0], [False, False]

    def all(self) -> list[Any]:
        return [*self.older, *([self.newest] if self.newest is not None else [])]

    def begin(self, training: bool) -> Mark | Call:
        """A new one. Lets go what its mode has taken back, and of what nobody took back the oldest."""
        newest, self.newest, self.plain = self.newest, None, False
        if newest is not None:
            self.several = self.several or newest.root is not None
            self.keep(newest)
        if self.spent[training]:
            calls, self.older = self.older, []
            self.count, self.size, self.spent = [0, 0], [0, 0], [False, False]
            for call in calls:
                if call.training is not training or not call.taken:
                    self.keep(call)
            self.forgotten = False
        while self.count[training] >= MOST_CALLS or (
            self.size[training] > MOST_BYTES[training] and self.count[training] >= LEAST[training]
        ):
            oldest = next(n for n, call in enumerate(self.older) if call.training is training)
            self.size[training] -= self.older.pop(oldest).size
            self.count[training] -= 1
            self.forgotten = True
        if training and self.first < FIRST:
            self.first += 1
            return Watched(training) if self.watches else Call(training)
        return Call(training) if self.several or not training else Mark()

    def keep(self, call: Mark | Call) -> None:
        """Among the older ones."""
        mode = call.training
        call.size = call.bytes()
        self.older.append(call)
        self.count[mode] += 1
        self.size[mode] += call.size
        self.spent[mode] = self.spent[mode] or call.taken

    def next(self, module: Any) -> Any:
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

    def took(self, call: Mark | Call) -> None:
        """After its backward pass: it is the newest that anything was done with."""
        call.taken = True
        if self.newest is not call:
            calls, self.older, self.newest = self.all(), [], call
            self.count, self.size, self.spent = [0, 0], [0, 0], [False, False]
            for other in calls:
                if other is not call:
                    self.keep(other)


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

    made = watched(begins, forward, alone if takes_alone(forward, "x") else begun)
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


def unwatched(model: Any) -> None:
    """For who looks for changes in place himself: they are not refused in a model's modules."""
    for _, module in model.named_modules():
        module._calls = Calls()
        module._calls.watches = False


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
