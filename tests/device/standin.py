"""A device that is not the CPU and needs no hardware: its memory is the host's and its kernels are the CPU's.

Its tensors are plain ones with values and views of their own, autograd goes back through them in a thread of its own,
and what CUDA refuses it refuses: tensors of two devices in one operation, NumPy, a generator of the CPU's. It stands on
torch's interface for devices written in Python, of torch 2.14 and later.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef

NAME = "standin"
NEEDS = "torch.utils.backend_registration._setup_privateuseone_for_python_backend, of torch 2.14"
CPU = torch._C.DispatchKeySet(torch._C.DispatchKey.CPU)
set_ = torch.ops.aten.set_.source_Storage_storage_offset

# What moves no number, only says where a tensor begins and how it goes on.
VIEWS = {f"aten::{name}" for name in ("as_strided", "view", "_reshape_alias", "unfold", "alias", "set_")}
# Indices may lie on the CPU, as CUDA allows it: the argument that holds them.
INDEXED = {f"aten::{name}": 1 for name in ("index", "index_put", "index_put_", "_index_put_impl_")}

# By the address of the device's memory: the storage that lies there as the device's, and the host's, which owns it.
memory: dict[int, tuple[StorageWeakRef, torch.UntypedStorage]] = {}
calls: dict[str, int] = {}  # how often each operation was asked for
altered: dict[str, Callable[[Any], Any]] = {}  # by operation, what a faulty device makes of its results
generator = torch.Generator()
_purge_at = 1024


def is_away(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.device.type == NAME


def away(host: torch.Tensor) -> torch.Tensor:
    """The device's tensor over the memory of a CPU tensor."""
    out = torch._C._acc.create_empty_tensor(list(host.shape), host.dtype)
    settle(out, host)
    return out


def settle(target: torch.Tensor, host: torch.Tensor) -> None:
    """Lets a tensor of the device lie where a CPU tensor does, whatever memory it had."""
    global _purge_at
    flat = host.untyped_storage()
    address, known = flat.data_ptr(), memory.get(flat.data_ptr())
    if known and not known[0].expired():
        storage = torch.UntypedStorage._new_with_weak_ptr(known[0].cdata)
    else:
        storage = torch._C._construct_storage_from_data_pointer(address, torch.device(NAME, 0), flat.nbytes())
        if address:
            memory[address] = StorageWeakRef(storage), flat
    set_.redispatch(CPU, target, storage, host.storage_offset(), host.shape, host.stride())
    if len(memory) > _purge_at:
        for key in [key for key, (ours, _) in list(memory.items()) if ours.expired()]:
            memory.pop(key, None)
        _purge_at = 2 * len(memory) + 1024


def home(tensor: torch.Tensor) -> torch.Tensor:
    """A CPU tensor over the memory of the device's: it owns that as well, and so outlives it."""
    address = tensor.untyped_storage().data_ptr()
    if not address:
        return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype)
    flat = memory[address][1]
    return torch.empty(0, dtype=tensor.dtype).set_(flat, tensor.storage_offset(), tensor.shape, tensor.stride())


class Signature:
    """What an operation's schema says: which arguments it writes to, which of them are made by it, which draw."""

    def __init__(self, op: Any) -> None:
        schema = op._schema
        self.name = schema.name
        self.places = {argument.name: n for n, argument in enumerate(schema.arguments)}
        self.written = [a.name for a in schema.arguments if a.alias_info and a.alias_info.is_write]
        self.outs = [a.name for a in schema.arguments if a.is_out]
        self.draws = "generator" in self.places
        self.in_place = bool(schema.returns) and bool(
            schema.returns[0].alias_info and schema.returns[0].alias_info.is_write
        )

    def value(self, name: str, args: Any, kwargs: Any) -> Any:
        return kwargs[name] if name in kwargs else args[self.places[name]] if self.places[name] < len(args) else None


signature = lru_cache(maxsize=None)(Signature)


def refuse(told: Signature, place: int, value: Any) -> None:
    """As CUDA does: a CPU tensor that is no single number, and a generator of the CPU's."""
    if isinstance(value, torch.Tensor) and value.ndim and INDEXED.get(told.name) != place:
        raise RuntimeError(
            f"Expected all tensors to be on the same device, but found at least two devices, {NAME}:0 and "
            f"{value.device}! (argument {place} of {told.name})"
        )
    if isinstance(value, torch.Generator):
        raise RuntimeError(f"Expected a '{NAME}' device type for generator but found '{value.device}'")


def run(op: Any, *args: Any, **kwargs: Any) -> Any:
    """Any operation: the CPU's kernel on the memory of its tensors."""
    told = signature(op)
    calls[told.name] = calls.get(told.name, 0) + 1
    if told.name in VIEWS:
        return op.redispatch(CPU, *args, **kwargs)
    hosts: dict[int, torch.Tensor] = {}
    for name in told.outs:  # what is made is as large as it is: its old memory need not be resized
        if is_away(out := told.value(name, args, kwargs)) and not any(out is value for value in args):
            hosts[id(out)] = torch.empty(0, dtype=out.dtype)

    def host(value: Any, place: int) -> Any:
        if isinstance(value, (list, tuple)):
            return [host(item, place) for item in value]
        if is_away(value):
            if id(value) not in hosts:
                hosts[id(value)] = home(value)
            return hosts[id(value)]
        if isinstance(value, torch.device):
            return torch.device("cpu")
        refuse(told, place, value)
        return value

    given = [host(value, place) for place, value in enumerate(args)]
    named = {key: host(value, told.places[key]) for key, value in kwargs.items()}
    if told.draws:
        named["generator"] = generator
    result = op(*given, **named)
    if told.name in altered:
        result = altered[told.name](result)
    written = [told.value(name, args, kwargs) for name in told.written]
    for target in (target for target in written if is_away(target)):
        if hosts[id(target)].untyped_storage().data_ptr() != target.untyped_storage().data_ptr():
            taken_over(target, hosts[id(target)])
    if told.in_place:
        return written[0] if len(written) == 1 else tuple(written)
    return sent(result, {value.untyped_storage().data_ptr() for value in hosts.values()})


def taken_over(target: torch.Tensor, made: torch.Tensor) -> None:
    """What an `out=` was given: written where it lay, or where its shape is another, moved there."""
    if made.shape == target.shape:
        home(target).copy_(made)
    else:
        settle(target, made)


def sent(value: Any, taken: set[int]) -> Any:
    """Results as tensors of the device; one that is an argument's own memory is copied."""
    if isinstance(value, (list, tuple)):
        return type(value)(sent(item, taken) for item in value)
    if not isinstance(value, torch.Tensor):
        return value
    return away(value.clone() if value.untyped_storage().data_ptr() in taken - {0} else value)


def copy_from(source: torch.Tensor, target: torch.Tensor, non_blocking: bool = False) -> torch.Tensor:
    """To the device, from it, or within it."""
    (home(target) if is_away(target) else target).copy_(home(source) if is_away(source) else source)
    return target


def resize(tensor: torch.Tensor, size: Any, memory_format: Any = None) -> torch.Tensor:
    """In memory of its own: the old may have other tensors in it."""
    made = torch.empty(size, dtype=tensor.dtype)
    kept = min(made.numel(), tensor.numel())
    made.reshape(-1)[:kept] = home(tensor).reshape(-1)[:kept]
    settle(tensor, made)
    return tensor


@contextmanager
def faulty(**kernels: Callable[[Any], Any]) -> Iterator[None]:
    """While it lasts the results of these operations are what is made of them; each is to be asked for."""
    changes = {f"aten::{name}": change for name, change in kernels.items()}
    before = {name: calls.get(name, 0) for name in changes}
    altered.update(changes)
    try:
        yield
    finally:
        altered.clear()
    assert all(calls.get(name, 0) > count for name, count in before.items()), f"{changes} were not all asked for"
