"""Which of torch's operations gives other bits for equal ones: on a device the order of a sum may be left open."""

import zlib
from collections.abc import Callable
from typing import Any

from twofold.compare import nest
from twofold.compare.sides.trace import view_of

# What gives memory that nobody has written to.
UNWRITTEN = ("empty", "new_empty", "empty_like", "empty_strided", "new_empty_strided", "resize_")
Told = tuple[str, int]  # an operation's name, and a digest of what it gave


def unsteady_operation(run: Callable[[], object]) -> str:
    """The first operation of a run, backward passes included, that gives in a second run something else.

    All before it gave the same, and so it was given the same. "" where the two runs are alike.
    """
    first, second = listened(run), listened(run)
    return next(
        (name for (name, one), (other, two) in zip(first, second, strict=False) if (name, one) != (other, two)), ""
    )


def listened(run: Callable[[], object]) -> list[Told]:
    """Every operation of a run in order."""
    from torch.utils._python_dispatch import TorchDispatchMode

    found: list[Told] = []

    class Listening(TorchDispatchMode):
        def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            out = function(*args, **(kwargs or {}))
            name = function.overloadpacket.__name__
            if name not in UNWRITTEN:
                found.append((name, digest(out)))
            return out

    with Listening():
        run()
    return found


def digest(out: Any) -> int:
    """Of all the bits of what an operation gave."""
    told = 0
    for leaf in nest.flatten(tuple(out) if isinstance(out, list) else out):
        if hasattr(leaf, "detach"):
            told = zlib.crc32(view_of(leaf).tobytes(), told)
    return told
