"""What a user asks for, and what is wrong with how he asks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from twofold.compare.judge.own.telling.verdict import BadCall
from twofold.compare.sides.devices import SideError, devices
from twofold.compare.sides.foreign.trees import is_module, is_tensor

KNOWN = ("float64", "float32", "bfloat16", "float16")


@dataclass(frozen=True)
class Call:
    """The arguments of `judge`."""

    scratch: Any
    reference: Any
    data: tuple[Any, ...]
    loss: Any = None
    params: Any = None
    grads: Any = None
    buffers: Any = None
    modes: Any = None
    step: Any = None
    optimizer: Any = None
    reference_step: Any = None
    steps: int = 20
    reference_data: Sequence[Any] | None = None
    layout: Mapping[str, str] | None = None
    dtypes: Sequence[str] = ("float64", "float32")
    device: str = "cpu"
    seed: int = 0
    watch: bool = True
    kernel: bool = False  # both sides are torch
    asked: tuple[bool, ...] = ()  # of a kernel: the data that ask for a gradient


def settled_call(call: Call) -> Call:
    """With an object that has forward and backward taken as the pair of its methods; a pair has no loss inside."""
    scratch = call.scratch
    forward, backward = getattr(scratch, "forward", None), getattr(scratch, "backward", None)
    if not isinstance(scratch, tuple) and callable(forward) and callable(backward) and not is_module(scratch):
        params = scratch if call.params is None else call.params
        call = replace(call, scratch=(forward, backward), params=params)
    if isinstance(call.scratch, tuple) and call.loss is not None:
        given = None if call.reference_data is None else tuple(call.reference_data[:-1])
        call = replace(call, data=call.data[:-1], loss=None, reference_data=given)
    if isinstance(call.scratch, tuple) and call.params is None:
        owner = getattr(call.scratch[0], "__self__", None)
        call = replace(call, params=owner) if owner is not None else call
    return call


def must_be_sound(call: Call) -> None:
    """Raises BadCall for what can be seen before anything runs."""
    if not callable(call.reference):
        raise BadCall(
            f"reference: expected an nn.Module or a function of tensors, found {kind(call.reference)}; "
            "as judge(scratch, torch_net, x, y, loss=...)"
        )
    if isinstance(call.scratch, tuple):
        if len(call.scratch) != 2 or not all(map(callable, call.scratch)):
            raise BadCall(
                f"scratch: expected a pair of callables (forward, backward), found {len(call.scratch)} things of which "
                f"{sum(map(callable, call.scratch))} can be called"
            )
    elif not callable(call.scratch) and not hasattr(call.scratch, "forward"):
        raise BadCall(
            f"scratch: expected a callable or a pair (forward, backward), found {kind(call.scratch)}; "
            "as judge(net.loss, torch_net, x, y)"
        )
    try:
        known = isinstance(call.device, str) and call.device != "auto" and bool(devices(call.device))
    except SideError as error:
        if call.device == "cuda":
            told = "device='cuda': expected a CUDA device that torch can use, found none; device='cpu'"
            raise BadCall(told) from error
        known = False
    if not known:
        expected = "'cpu', 'cuda' or another that torch can use, on which torch's side runs"
        raise BadCall(f"device: expected {expected}, found {call.device!r}")
    for dtype in call.dtypes:
        if dtype not in KNOWN:
            raise BadCall(f"dtypes: expected some of {', '.join(KNOWN)}, found {dtype!r}")
    if not call.data:
        raise BadCall(
            "data: expected at least one array, as judge(net.loss, torch_net, x, y); "
            "an update rule needs a torch.optim class, or a function from parameters to one, as its reference"
        )
    if call.loss is not None and len(call.data) < 2:
        raise BadCall("data: expected the target of loss= last, found 1 array; as judge(f, net, x, y, loss=...)")
    if isinstance(call.data[0], str):
        raise BadCall(f"data[0]: expected an array, found {kind(call.data[0])}; pass the numbers themselves")
    for n, array in enumerate(call.data):
        if array is None:
            raise BadCall(f"data[{n}]: expected an array as scratch takes it, found None")
        if isinstance(array, list):
            try:
                array = np.asarray(array)
            except ValueError:
                raise BadCall(f"data[{n}]: expected rows of one length, found a ragged list of {len(array)}") from None
        if isinstance(array, np.ndarray) and array.dtype.kind not in "fiub":
            raise BadCall(f"data[{n}]: expected an array of floats or integers, found dtype {array.dtype}")
        if isinstance(array, np.ndarray) and array.dtype == np.float16:
            raise BadCall(f"data[{n}]: expected float32 or float64, found float16: data[{n}].astype(np.float32)")
        if isinstance(array, np.ndarray) and not array.size:
            raise BadCall(f"data[{n}]: expected a batch with entries in it, found shape {array.shape}")
    if call.step is not None and call.optimizer is None and call.reference_step is None:
        raise BadCall(
            "step: expected optimizer= beside it, such as lambda p: torch.optim.SGD(p, lr=0.1), or reference_step="
        )
    if call.step is not None and not callable(call.step):
        raise BadCall(f"step: expected a callable, called as step(*data), found {kind(call.step)}")
    modes = (None, None) if call.modes is None else call.modes
    if call.modes is not None and not (isinstance(modes, tuple | list) and [callable(m) for m in modes] == [True] * 2):
        raise BadCall(f"modes: expected two callables, (enter training, enter evaluation), found {kind(modes)}")
    if call.loss is not None and not callable(call.loss):
        raise BadCall(
            f"loss: expected a function of (output, target), such as F.cross_entropy, found {kind(call.loss)}"
        )
    for name, array in arrays_in(call.params):
        if isinstance(array, np.ndarray) and array.dtype.kind in "iu" and array.ndim > 0:
            raise BadCall(
                f"{name} is {array.dtype}, expected float32 or float64, for a step would cut its entries off: "
                f"{name} = {name}.astype(float)"
            )
        if isinstance(array, np.ndarray) and array.dtype == np.float16:
            raise BadCall(f"{name} is float16, expected float32 or float64: {name} = {name}.astype(np.float32)")


def arrays_in(tree: Any, name: str = "params") -> list[tuple[str, Any]]:
    """The arrays in plain dicts, lists and tuples."""
    if isinstance(tree, Mapping):
        return [one for key, part in tree.items() for one in arrays_in(part, f"{name}[{key!r}]")]
    if isinstance(tree, list | tuple):
        return [one for n, part in enumerate(tree) for one in arrays_in(part, f"{name}[{n}]")]
    return [(name, tree)] if isinstance(tree, np.ndarray) or is_tensor(tree) else []


def kind(value: Any) -> str:
    return "None" if value is None else f"{type(value).__name__} {str(value)[:40]!r}"
