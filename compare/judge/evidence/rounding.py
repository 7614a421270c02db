"""Runs of the reference as rounding might have had them: everything moved by one unit in the last place.

Inputs and parameters are moved before the run; while it runs, every module's output, the gradient that it is sent, and
every tanh and sigmoid. Without those a saturated unit, whose slope hangs on the last digits of its own value, looks
exact.
"""

import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from twofold.compare import nest
from twofold.compare.sides import Side
from twofold.compare.sides.trace import view_of
from twofold.scratch.module import Array

BLOCK = 1 << 14  # floats that are moved at a time: with the hashes of their bits they fit a cache


class Bits(NamedTuple):
    """A float's bits as an integer, and the shifts and odd factors that mix them."""

    integer: type[np.unsignedinteger]
    rounds: tuple[tuple[int, int], ...]

    def mix(self, bits: Array, seed: int, mixed: Array, work: Array) -> None:
        """Into `mixed` a hash of each number of `bits`: every bit reaches the highest."""
        np.bitwise_xor(bits, self.integer(seed), out=mixed)
        for shift, factor in self.rounds:
            np.right_shift(mixed, self.integer(shift), out=work)
            np.bitwise_xor(mixed, work, out=mixed)
            np.multiply(mixed, self.integer(factor), out=mixed)


# By the size of a float: the finalizers of MurmurHash3 (Appleby 2011) and SplitMix64 (Steele, Lea and Flood 2014).
BITS = {
    4: Bits(np.uint32, ((16, 0x85EBCA6B), (13, 0xC2B2AE35))),
    8: Bits(np.uint64, ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))),
}


def perturbed(nested: Any, seed: int | None) -> Any:
    """Every float in arrays, dicts and tuples moved by one unit in the last place, up or down by a hash of its bits.

    The seed goes into the hash, and None moves nothing. Equal values move together and zeros stay zero, so that ties
    and sparsity survive; integers stay, and so does what is not finite or would not be.
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
    away = np.array(array)
    move(away, seed)
    return away


def move(array: Array, seed: int) -> None:
    """Moves an array of floats in place, block by block; as integers, neighbouring floats lie 1 apart."""
    bits, salt = BITS[array.itemsize], zlib.crc32(str(seed).encode())
    size, most = min(BLOCK, array.size), np.finfo(array.dtype).max
    mixed, work, moves = np.empty(size, bits.integer), np.empty(size, bits.integer), np.empty(size, bool)
    sign = np.dtype(f"i{array.itemsize}").type(8 * array.itemsize - 1)
    blocks: Any = np.nditer(array, ["external_loop", "buffered", "zerosize_ok"], ["readwrite"], buffersize=BLOCK)
    with blocks:
        for block in blocks:
            before, n = block.view(bits.integer), len(block)
            away = mixed[:n]
            bits.mix(before, salt, away, work[:n])
            step = away.view(sign.dtype)
            np.right_shift(step, sign, out=step)  # 0 or -1
            np.bitwise_or(step, 1, out=step)  # 1 or -1
            np.not_equal(block, 0, out=moves[:n])
            if not (block.max() < most and block.min() > -most):  # nor what is not finite, or would not be
                moves[:n] &= np.abs(block) < most
            np.multiply(step, moves[:n], out=step)
            np.add(before, away, out=before)


def move_tensor(tensor: Any, seed: int) -> None:
    """Moves a torch tensor of the CPU's in place, unseen by autograd."""
    move(view_of(tensor), seed)


def move_state(model: Any, seed: int) -> None:
    """Moves the parameters and buffers of a torch model in place; one that has two names, once."""
    tensors = {id(tensor): tensor for tensor in model.state_dict(keep_vars=True).values()}
    for tensor in tensors.values():
        if tensor.is_floating_point():
            move_tensor(tensor, seed)


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
        if not tensor.is_floating_point():
            return tensor
        away = moved(tensor)  # the derivative of a copy is 1
        if away.requires_grad:
            away.register_hook(moved)
        return away

    def moved(tensor: Any) -> Any:
        away = tensor.clone()
        move_tensor(away, seed)
        return away

    return nest.apply(perturb, out)


@contextmanager
def saturating(seed: int) -> Iterator[list[str]]:
    """Moves what tanh and sigmoid give before autograd keeps it for their slope, also within a cell; lists them."""
    import torch

    from twofold.compare.sides.dispatch import DispatchMode

    ops = torch.ops.aten
    moving = {ops.tanh, ops.sigmoid, ops.tanh_, ops.sigmoid_}

    met: list[str] = []

    class Saturating(DispatchMode):
        def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            out = function(*args, **(kwargs or {}))
            if function.overloadpacket not in moving:
                return out
            met.append(str(function))
            move_tensor(out, seed)
            return out

    onednn = torch.backends.mkldnn.enabled
    torch.backends.mkldnn.enabled = False  # type: ignore[assignment]  # its LSTM shows none of its operations
    try:
        with Saturating():
            yield met
    finally:
        torch.backends.mkldnn.enabled = onednn
