"""Which call a backward pass is of. There is no tape: of the calls that wait, the last is the first to be taken back.

A call from outside all modules is kept beside its module, and every module within knows in which it ran last. It writes
down what `forward` left in `cache`, there and in every module within, so that all find theirs again in its backward
pass; where one was called several times (tree.py), each in turn. In training only a module's first calls write: where
no part was called twice in them, caches stay in place, and a later call that takes the place of one keeps it.
"""

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
        return size_of(self.cache) + sum(map(size_of, (self.kept or {}).values()))


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
        return size_of(self.cache) + sum(size_of(cache) for _, _, cache in self)


def put(module: Any, cache: Any, call: Mark | Call) -> None:
    """A cache in its place, and what is there into its own call, if that waits."""
    before = module._within
    if before is not None and before is not call and not before.taken:
        before.over(module)
    module._within = call
    if "cache" in vars(module):  # else it left none, or left it to the class
        module.cache = cache


def size_of(cache: Any) -> int:
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
    # of the older ones by mode: how many, how many bytes, and whether some are taken back
    count: list[int]
    size: list[int]
    spent: list[bool]
    plain: bool  # whether there is the newest alone, and that only marked its modules

    def __init__(self) -> None:
        self.newest, self.plain = None, False
        self.forgotten = self.several = False
        self.first, self.watches = 0, True
        self.keep_only([])

    def all(self) -> list[Any]:
        return [*self.older, *([self.newest] if self.newest is not None else [])]

    def begin(self, training: bool) -> Mark | Call:
        """A new one. Lets go what its mode has taken back, and of what nobody took back the oldest."""
        newest, self.newest, self.plain = self.newest, None, False
        if newest is not None:
            self.several = self.several or newest.root is not None
            self.keep(newest)
        if self.spent[training]:
            self.keep_only([call for call in self.older if call.training is not training or not call.taken])
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

    def keep_only(self, calls: list[Any]) -> None:
        self.older = []
        self.count, self.size, self.spent = [0, 0], [0, 0], [False, False]
        for call in calls:
            self.keep(call)

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
            self.keep_only([other for other in self.all() if other is not call])
            self.newest = call


def unwatched(model: Any) -> None:
    """For who looks for changes in place himself: they are not refused in a model's modules."""
    for _, module in model.named_modules():
        module._calls = Calls()
        module._calls.watches = False
