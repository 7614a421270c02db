"""Labels, tokens and other indices checked on the host before a device's kernel is given them.

The CPU raises on one that is out of range. CUDA asserts within the kernel, and after that nothing more can be computed
in the process.
"""

from collections.abc import Callable
from typing import Any

from twofold.compare.sides.devices import import_torch

# What is indexed with, how many there are to choose from if that is known, and a value that is left out.
Asked = tuple[Any, int | None, int | None]


def _rows(input: Any, weight: Any, *rest: Any, **more: Any) -> Asked:
    return input, len(weight), None


def _classes(input: Any, target: Any, *rest: Any, ignore_index: int = -100, **more: Any) -> Asked:
    return target, input.shape[1 if input.ndim > 1 else 0], rest[2] if len(rest) > 2 else ignore_index


def _one_hot(tensor: Any, num_classes: int = -1) -> Asked:
    return tensor, num_classes if num_classes > 0 else None, None


def _along(input: Any, dim: int, index: Any, **more: Any) -> Asked:
    return index, input.shape[dim], None


def _item(tensor: Any, key: Any, *value: Any) -> Asked:
    plain = hasattr(key, "is_floating_point") and key.dtype.itemsize > 1
    return key, len(tensor) if plain and tensor.ndim else None, None


def table() -> dict[Any, Callable[..., Asked]]:
    """By torch's function, as a model or loss calls it."""
    torch = import_torch()
    functional = torch.nn.functional
    return {
        functional.embedding: _rows,
        functional.embedding_bag: _rows,
        functional.cross_entropy: _classes,
        functional.nll_loss: _classes,
        functional.multi_margin_loss: _classes,
        functional.one_hot: _one_hot,
        torch.gather: _along,
        torch.Tensor.gather: _along,
        torch.index_select: _along,
        torch.Tensor.index_select: _along,
        torch.Tensor.__getitem__: _item,
        torch.Tensor.__setitem__: _item,
    }


def must_lie_within(name: str, index: Any, count: int | None, left_out: int | None) -> None:
    """Raises IndexError for the first index that is out of range; an item may be counted from the end."""
    if count is None or index is None or index.is_floating_point() or not index.numel():
        return
    values = index.detach().cpu().numpy().ravel()
    values = values if left_out is None else values[values != left_out]
    least = -count if name in ("__getitem__", "__setitem__") else 0
    wrong = values[(values < least) | (values >= count)]
    if wrong.size:
        raise IndexError(f"{name}: index out of range: expected {least} to {count - 1}, found {int(wrong[0])}")
