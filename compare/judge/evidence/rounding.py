"""Runs of the reference as rounding might have had them: everything moved by one unit in the last place.

Inputs and parameters are moved before the run; while it runs, every module's output, the gradient that it is sent, and
every tanh and sigmoid. Without those a saturated unit, whose slope hangs on the last digits of its own value, looks
exact.
"""

import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import numpy as np

from twofold.compare import nest
from twofold.compare.sides import Side


def perturbed(nested: Any, seed: int | None) -> Any:
    """Every float in arrays, dicts and tuples moved by one unit in the last place, up or down by a hash of its bits.

    The seed goes into the hash, and None moves nothing. Equal values move together and zeros stay zero, so that ties
    and sparsity survive; integers and what is not finite stay.
    """
    if seed is None:
        return nested
    if isinstance(nested, Mapping):
        return {key: perturbed(value, seed) for key, value in nested.items()}
    if isinstance(nested, tuple):
        return tuple(perturbed(value, seed) for value in nested)
    array = np.asarray(nested)
    if not np.issubdtype(array.dtype, np.floating):
        return array
    bits = np.ascontiguousarray(array).view(np.uint32 if array.itemsize == 4 else np.uint64).astype(np.uint64)
    # the finalizer of SplitMix64 (Steele, Lea and Flood 2014): every input bit reaches the sign
    mixed = bits + np.uint64(zlib.crc32(str(seed).encode()))
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    up = (mixed >> np.uint64(63)).astype(array.dtype).reshape(array.shape)
    away = np.nextafter(array, np.copysign(array.dtype.type(np.inf), up - array.dtype.type(0.5)))
    return np.where(np.isfinite(array) & (array != 0), away, array)


@contextmanager
def perturbing(side: Side, seed: int | None, saturates: bool = True) -> Iterator[None]:
    """While it lasts, whatever a leaf module of a torch model gives or is sent back is moved; None moves nothing.

    Watching for a tanh or sigmoid is slow, and need not be where the model `saturates` nowhere.
    """
    handles = []
    if seed is not None:
        leaves = (module for module in side.model.modules() if not any(module.children()))
        handles = [module.register_forward_hook(partial(_perturb_output, seed)) for module in leaves]
    try:
        with saturating(seed) if seed is not None and saturates else nullcontext():
            yield
    finally:
        for handle in handles:
            handle.remove()


def _perturb_output(seed: int, module: Any, inputs: Any, out: Any) -> Any:
    def perturb(tensor: Any) -> Any:
        away = tensor + _shift(seed, tensor.detach())  # the shift has no gradient: the derivative stays
        if away.requires_grad:
            away.register_hook(lambda gradient: gradient + _shift(seed, gradient))
        return away

    return nest.apply(perturb, out)


def _shift(seed: int, tensor: Any) -> Any:
    """What moves a tensor by one ulp."""
    array = tensor.cpu().numpy()
    away = perturbed(array, seed)
    return tensor.new_tensor(np.subtract(away, array, out=np.zeros_like(array), where=np.isfinite(array)))


@contextmanager
def saturating(seed: int) -> Iterator[list[str]]:
    """Moves what tanh and sigmoid give before autograd keeps it for their slope, also within a cell; lists them."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    ops = torch.ops.aten
    moving = {ops.tanh, ops.sigmoid, ops.tanh_, ops.sigmoid_}

    met: list[str] = []

    class Saturating(TorchDispatchMode):
        def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            out = function(*args, **(kwargs or {}))
            if function.overloadpacket not in moving:
                return out
            met.append(str(function))
            return out.add_(_shift(seed, out.detach()))

    onednn = torch.backends.mkldnn.enabled
    torch.backends.mkldnn.enabled = False  # type: ignore[assignment]  # its LSTM shows none of its operations
    try:
        with Saturating():
            yield met
    finally:
        torch.backends.mkldnn.enabled = onednn
