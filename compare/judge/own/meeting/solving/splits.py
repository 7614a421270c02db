"""Where a reference cuts what a linear layer gives, and of what pieces its input was joined: then so is its matrix."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from twofold.compare.judge.own.meeting.solving.moves import MOVES, flat

MOST = 16  # blocks that a matrix is cut into

Spans = list[tuple[int, int]]


@dataclass
class Splits:
    """By a matrix's name the spans of its rows, and of its columns."""

    rows: dict[str, Spans] = field(default_factory=dict)
    columns: dict[str, Spans] = field(default_factory=dict)

    def linear(self, name: str, x: Any, weight: Any, bias: Any) -> Any:
        """The layer block by block; NotImplemented where it is one."""
        rows, columns = self.rows.get(name, []), self.columns.get(name, [])
        if len(rows) < 2 and len(columns) < 2:
            return NotImplemented
        found = []
        for start, stop in rows or [(0, weight.shape[0])]:
            block = weight[start:stop]
            parts = [x[..., a:b] @ block[:, a:b].t() for a, b in columns or [(0, weight.shape[1])]]
            total = parts[0]
            for part in parts[1:]:
                total = total + part
            found.append(total if bias is None else total + bias[start:stop])
        return torch.cat(found, -1)


class Watching(TorchFunctionMode):
    """One pass in which the columns of what linear layers give are followed through what only moves them."""

    def __init__(self, forms: Mapping[Any, Callable[..., Any]]) -> None:
        super().__init__()
        self.named: dict[int, tuple[str, Tensor]] = {}
        self.forms = forms
        self.kept: list[Any] = []  # ids are of what lives
        self.columns: dict[int, tuple[str, Tensor]] = {}
        self.joined: dict[int, Spans] = {}
        self.taken: dict[str, tuple[int, set[bytes]]] = {}
        self.found = Splits()

    def follow_these(self, named: Mapping[int, tuple[str, Tensor]]) -> None:
        """The parameters, by id with their names."""
        self.named.update(named)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is not F.linear and func in self.forms:
            with self:
                out = self.forms[func](*args, **kwargs)
            if out is not NotImplemented:
                return out
        out = func(*args, **kwargs)
        name = getattr(func, "__name__", "")
        self.kept.append((args, out))
        if func is F.linear and len(args) > 1 and id(args[1]) in self.named:
            self.begin(args[0], args[1], out)
        elif name in ("cat", "concat", "hstack") and isinstance(out, Tensor):
            self.join(args[0], out, {**dict(zip(("dim",), args[1:], strict=False)), **kwargs})
        elif name in MOVES and args and isinstance(args[0], Tensor) and id(args[0]) in self.columns:
            layer, numbers = self.columns[id(args[0])]
            moved = func(numbers, *args[1:], **kwargs)
            for part, told in zip(flat([out]), flat([moved]), strict=True):
                self.columns[id(part)] = layer, told
                self.taken[layer][1].add(np.unique(told.numpy()).tobytes())
        return out

    def begin(self, x: Tensor, weight: Tensor, out: Tensor) -> None:
        name, rows = self.named[id(weight)][0], weight.shape[0]
        self.columns[id(out)] = name, torch.arange(rows).expand(out.shape)
        self.taken.setdefault(name, (rows, set()))
        if id(x) in self.joined:
            self.found.columns[name] = self.joined[id(x)]

    def join(self, parts: Any, out: Tensor, how: Mapping[str, Any]) -> None:
        if how.get("dim", how.get("axis", 0)) in (-1, out.ndim - 1) and len(parts) > 1:
            ends = np.cumsum([0, *(part.shape[-1] for part in parts)])
            self.joined[id(out)] = [(int(a), int(b)) for a, b in pairwise(ends)]

    def splits(self) -> Splits:
        """Rows lie apart where one of the parts that were taken ends between them."""
        for name, (rows, taken) in self.taken.items():
            sets = [set(np.frombuffer(one, np.int64).tolist()) for one in taken]
            signs = [tuple(row in one for one in sets) for row in range(rows)]
            ends = [0, *(n for n in range(1, rows) if signs[n] != signs[n - 1]), rows]
            if 2 < len(ends) <= MOST + 1:
                self.found.rows[name] = list(pairwise(ends))
        return self.found
