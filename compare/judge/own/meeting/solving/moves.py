"""What moves entries of tensors and computes nothing."""

from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor

# Torch's functions by name: of a parameter they give a part, or another order.
MOVES = frozenset(
    [
        "T",
        "mT",
        "H",
        "t",
        "transpose",
        "swapaxes",
        "permute",
        "view",
        "reshape",
        "chunk",
        "split",
        "unbind",
        "__getitem__",
        "cat",
        "concat",
        "stack",
        "unsqueeze",
        "squeeze",
        "contiguous",
        "detach",
        "data",
        "clone",
        "flatten",
        "unflatten",
        "expand",
        "expand_as",
        "flip",
        "narrow",
        "select",
        "movedim",
        "view_as",
        "repeat",
        "tensor_split",
        "vstack",
        "hstack",
        "to",
        "double",
    ]
)


def flat(values: Sequence[Any]) -> Iterator[Tensor]:
    """The tensors in arguments, in lists and tuples too."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from flat(value)
