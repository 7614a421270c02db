"""Which of torch's operations gives other bits for equal ones: on a device the order of a sum may be left open."""

import zlib
from collections.abc import Callable
from typing import Any

from twofold.compare import nest
from twofold.compare.sides.trace import view_of

# What gives memory that nobody has written to.
UNWRITTEN = ("empty", "new_empty", "empty_like", "empty_strided", "new_empty_strided", "resize_")
Told = tuple[str, int, int]  # an operation's name, and digests of what it took and of what it gave


def unsteady_operation(run: Callable[[], object]) -> str:
    """The first operation of a run, backward passes included, that makes of the same in a second run something else.

    "" where there is none.
    """
    pairs = zip(listened(run), listened(run), strict=False)
    return next((one[0] for one, two in pairs if one[:2] == two[:2] and one[2] != two[2]), "")


def listened(run: Callable[[], object]) -> list[Told]:
    """Every operation of a run in order."""
    from twofold.compare.sides.dispatch import DispatchMode

    found: list[Told] = []

    class Listening(DispatchMode):
        def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            given = digest((*args, *(kwargs or {}).values()))  # before it is written to
            out = function(*args, **(kwargs or {}))
            name = function.overloadpacket.__name__
            if name not in UNWRITTEN:
                found.append((name, given, digest((out, *args))))  # some write, and give nothing
            return out

    with Listening():
        run()
    return found


def digest(values: Any) -> int:
    """Of all the bits of the tensors in what an operation took or gave."""
    told = 0
    for leaf in nest.flatten(values):
        if hasattr(leaf, "detach"):
            told = zlib.crc32(view_of(leaf).tobytes(), told)
    return told
