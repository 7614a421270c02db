"""Torch's forward pass, operation by operation, up to the next one that takes a parameter whose layout is not known."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from twofold.compare.judge.own.meeting.masks import Dropouts
from twofold.compare.judge.own.meeting.solving.gates import forms
from twofold.compare.judge.own.meeting.solving.moves import MOVES, flat
from twofold.compare.judge.own.meeting.solving.pool import Pool
from twofold.compare.judge.own.meeting.solving.splits import Splits
from twofold.scratch.module import Array

PRODUCTS = frozenset(("matmul", "__matmul__", "__rmatmul__", "mm", "linear", "mv", "bmm"))

LEFT = frozenset(("__get__", "size", "dim", "__setitem__", "shape", "dtype", "device", "is_cuda", "numel"))

Box = tuple[tuple[int, int], ...]  # of a parameter from where to where, axis by axis


@dataclass(frozen=True)
class Unit:
    """The part of a parameter that one operation takes; of two biases that are added the same part of both."""

    names: tuple[str, ...]
    box: Box
    behind: tuple[int, ...] = ()  # the axes that were flattened in front of it
    kind: str = field(default="", compare=False)  # the operation

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(stop - start for start, stop in self.box)

    @property
    def place(self) -> str:
        return self.names[0].rpartition(".")[0]

    def is_weighing(self, shape: tuple[int, ...]) -> bool:
        """Whether it is of the gate by which a GRU weighs the old state against the new."""
        return "gru" in self.kind and 3 * self.box[0][0] == shape[0]

    def slices(self) -> tuple[slice, ...]:
        return tuple(slice(start, stop) for start, stop in self.box)


class Met(Exception):
    """The operation takes what is not known yet."""

    def __init__(self, units: Sequence[Unit]) -> None:
        self.units = units


@dataclass
class Step:
    """One operation as it was run."""

    run: Callable[..., Any]
    args: Any
    kwargs: Any
    out: Any
    moves: bool = False  # entries, and computes nothing


Pure = tuple[tuple[str, ...], tuple[Tensor, ...] | None]  # of which parameters it is the sum, and which entries of each


class Stepping(TorchFunctionMode):
    """Follows the parameters' entries through what only moves them, and stops where unknown ones meet the data."""

    def __init__(self, known: Mapping[str, Array], tried: Unit | None) -> None:
        super().__init__()
        self.known, self.tried = known, tried
        self.steps: list[Step] = []
        self.started = tried is None
        self.kept: list[Any] = []  # ids are of what lives
        self.pure: dict[int, Pure] = {}
        self.flattened: dict[int, tuple[int, ...]] = {}
        self.masks: Pool | None = None
        self.splits: Splits | None = None
        self.fed: list[tuple[Unit, Array]] = []
        self.forms = forms()
        self.form = ""  # the fused operation that is taken apart

    def follow_these(self, named: Mapping[int, tuple[str, Tensor]]) -> None:
        """The parameters, by id with their names."""
        for key, (name, tensor) in named.items():
            numbers = torch.arange(tensor.numel(), dtype=torch.float64).reshape(tensor.shape)
            self.pure[key] = ((name,), (numbers,))

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        name = func.__self__.__name__ if name == "__get__" else name
        given = list(flat((*args, *kwargs.values())))
        pure = [tensor for tensor in given if id(tensor) in self.pure]
        form = self.forms.get(func)
        if func is F.linear and self.splits and (split := self.split(*args, **kwargs)) is not None:
            form = split
        if form is not None:
            outer, self.form = self.form, self.form or name
            try:
                with self:
                    out = form(*args, **kwargs)
            finally:
                self.form = outer
            if out is not NotImplemented:
                return out
        run = func
        if name == "dropout" and self.masks is not None:
            run = partial(Dropouts(pool=self.masks).taken, func)
        if pure and len(pure) == len(given):
            out = func(*args, **kwargs)
            self.follow(name, func, args, kwargs, pure, out)
            return out
        if pure and not (name in PRODUCTS and self.nothing(given)):
            args = self.with_fed(self.meet(name, pure, given), args, given)
        out = run(*args, **kwargs)
        if self.started and name not in LEFT:
            self.steps.append(Step(run, args, kwargs, out, name in MOVES))
        self.take(name, given, out)
        return out

    def split(self, x: Any, weight: Any, bias: Any = None) -> Any:
        """The layer in blocks, where what it gives is cut afterwards."""
        names, parts = self.pure.get(id(weight), ((), None))
        if id(x) in self.pure or len(names) != 1 or parts is None or parts[0].shape != self.known[names[0]].shape:
            return None
        assert self.splits is not None
        whole_one = names[0] not in self.splits.rows and names[0] not in self.splits.columns
        return None if whole_one else partial(self.splits.linear, names[0])

    def nothing(self, given: Sequence[Tensor]) -> bool:
        """A product with zeros, as of a state at its beginning, says nothing of the other factor."""
        return any(id(tensor) not in self.pure and not tensor.any() for tensor in given)

    def follow(self, name: str, func: Any, args: Any, kwargs: Any, pure: Sequence[Tensor], out: Any) -> None:
        """What comes of parameters alone: entries moved, two added, or something that is no part of one."""
        results = list(flat([out]))
        if not results:
            return
        names = tuple(dict.fromkeys(one for tensor in pure for one in self.pure[id(tensor)][0]))
        moved: list[tuple[Tensor, ...] | None] = [None] * len(results)
        parts = [self.pure[id(tensor)][1] for tensor in pure]
        if name in MOVES and parts[0] is not None and (len(pure) == 1 or name.endswith("_as")):
            found = [list(flat([func(*replaced(args, pure[0], part), **kwargs)])) for part in parts[0]]
            moved = [tuple(one) for one in zip(*found, strict=True)]
        elif name in ("add", "__add__") and len(pure) == 2 and all(p is not None and len(p) == 1 for p in parts):
            moved = [(parts[0][0], parts[1][0])]  # type: ignore[index]
        for result, part in zip(results, moved, strict=True):
            self.kept.append(result)
            self.pure[id(result)] = names, part

    def with_fed(self, units: Sequence[Unit], args: Any, given: Sequence[Tensor]) -> Any:
        """With the value of scratch's that stands for the input of an operation with one of these, the first time."""
        for n, (unit, array) in enumerate(self.fed):
            taken = next((one for one in given if one.is_floating_point() and id(one) not in self.pure), None)
            if unit in units and taken is not None and taken.shape == array.shape:
                del self.fed[n]
                new = torch.from_numpy(np.array(array))
                self.kept.append(new)
                return replaced(args, taken, new)
        return args

    def meet(self, name: str, pure: Sequence[Tensor], given: Sequence[Tensor]) -> list[Unit]:
        behind = next((self.flattened[id(tensor)] for tensor in given if id(tensor) in self.flattened), ())
        units = [unit for tensor in pure for unit in self.units(tensor, f"{self.form} {name}", behind)]
        if self.tried is not None and self.tried in units:
            self.started = True
        open_units = [unit for unit in units if not self.known[unit.names[0]][unit.slices()].all()]
        if open_units:
            raise Met(open_units)
        return units

    def units(self, tensor: Tensor, kind: str, behind: tuple[int, ...]) -> list[Unit]:
        names, parts = self.pure[id(tensor)]
        if parts is None:
            return [whole(name, self.known[name].shape, kind) for name in names]
        boxes = [box_of(part.numpy(), self.known[name].shape) for name, part in zip(names, parts, strict=False)]
        if len(set(boxes)) == 1:
            behind = behind if len(boxes[0]) == 2 and np.prod(behind) == boxes[0][1][1] - boxes[0][1][0] else ()
            return [Unit(names, boxes[0], behind, kind)]
        return [Unit((name,), box, (), kind) for name, box in zip(names, boxes, strict=True)]

    def take(self, name: str, given: Sequence[Tensor], out: Any) -> None:
        for result in flat([out]):
            if not result.is_floating_point():
                continue
            self.kept.append(result)
            source = next((tensor for tensor in given if tensor.is_floating_point()), None)
            if source is not None:
                if name in ("flatten", "reshape", "view") and result.ndim < source.ndim and result.ndim == 2:
                    lead, dims = 1, tuple(source.shape)
                    while lead < len(dims) and int(np.prod(dims[lead:])) != result.shape[-1]:
                        lead += 1
                    if len(dims) - lead > 1:
                        self.flattened[id(result)] = dims[lead:]
                elif id(source) in self.flattened and result.shape == source.shape:
                    self.flattened[id(result)] = self.flattened[id(source)]


def replaced(args: Sequence[Any], old: Tensor, new: Tensor) -> tuple[Any, ...]:
    return tuple(
        new if arg is old else type(arg)(replaced(arg, old, new)) if type(arg) in (list, tuple) else arg for arg in args
    )


def whole(name: str, shape: tuple[int, ...], kind: str = "") -> Unit:
    return Unit((name,), tuple((0, n) for n in shape), (), kind)


def box_of(numbers: Array, shape: tuple[int, ...]) -> Box:
    """The smallest part of a parameter that holds all of these entries; where they are not all of it the whole."""
    if not shape or numbers.size == int(np.prod(shape)):
        return tuple((0, n) for n in shape)
    places = np.unravel_index(np.unique(numbers.astype(np.int64)), shape)
    box = tuple((int(axis.min()), int(axis.max()) + 1) for axis in places)
    filled = int(np.prod([stop - start for start, stop in box])) == len(places[0])
    return box if filled else tuple((0, n) for n in shape)
