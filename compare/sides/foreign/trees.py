"""Where a stranger's arrays stand: in dicts, lists, objects, a module's globals, closures; and all of it put back."""

import argparse
import inspect
import random
import sys
import sysconfig
import types
from collections import deque
from collections.abc import Callable, Mapping, MutableMapping, MutableSequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from twofold.scratch.module import Array

ITEM, ATTRIBUTE, CELL, BOUND = "item", "attribute", "cell", "bound"  # bound: an argument of a partial


@dataclass
class Slot:
    """One place at which a value stands: a key of a dict or list, an attribute of an object, a cell of a closure.

    Or an argument that functools.partial holds.
    """

    name: str
    holder: Any
    kind: str
    key: Any = None

    def get(self) -> Any:
        if self.kind == ITEM:
            return self.holder[self.key]
        if self.kind == BOUND:
            return self.holder.args[self.key]
        return self.holder.cell_contents if self.kind == CELL else getattr(self.holder, self.key)

    def set(self, value: Any) -> None:
        """Raises TypeError or AttributeError where the holder cannot be changed."""
        if self.kind == ITEM:
            self.holder[self.key] = value
        elif self.kind == BOUND:
            _rebind(self.holder, (*self.holder.args[: self.key], value, *self.holder.args[self.key + 1 :]))
        elif self.kind == CELL:
            self.holder.cell_contents = value
        else:
            setattr(self.holder, self.key, value)


def is_tensor(value: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def is_module(value: Any) -> bool:
    """A torch.nn.Module, without importing torch for it."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.nn.Module)


def is_of_optim(value: Any) -> bool:
    """One of torch's optimizers, or of its schedules."""
    torch = sys.modules.get("torch")
    if torch is None:
        return False
    return isinstance(value, torch.optim.Optimizer | torch.optim.lr_scheduler.LRScheduler)


def is_floating(value: Any) -> bool:
    """An array or tensor of floats."""
    if isinstance(value, np.ndarray):
        return value.dtype.kind == "f"
    return is_tensor(value) and value.is_floating_point()


def is_scalar(value: Any) -> bool:
    return isinstance(value, SCALARS)


def array_in(value: Any) -> Array:
    """A copy as an array of whatever holds numbers: an array, a tensor, a float, a list, an object's `data`."""
    if is_tensor(value):
        return np.array(value.detach().float().cpu() if value.dtype.itemsize == 2 else value.detach().cpu())
    if isinstance(value, (list, tuple)):
        return np.array([array_in(part) for part in value])
    held = getattr(value, "data", None)
    if not isinstance(value, (np.ndarray, np.generic)) and held is not None and not isinstance(held, memoryview):
        return array_in(held)
    return np.array(value)


LIBRARIES = tuple(
    {sysconfig.get_paths()[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")} | {np.__path__[0]}
)
OWN = __name__.partition(".")[0]
# What a module of scratch remembers of its calls.
CALLS = tuple(f"{OWN}.scratch.{part}" for part in ("calls", "passes", "tree"))
# Asked for at every value: tuples, for a union is made anew each time.
PLAIN = (type(None), str, bytes, int, float, complex, np.generic, type)
SCALARS = (float, np.floating)
OURS = (str(Path(__file__).parents[2]), str(Path(__file__).parents[3] / "scratch"))  # compare and scratch


def is_users(code: Any) -> bool:
    """Whether a function, class or module was written by the user: neither installed nor built in nor ours."""
    module = code.__name__ if isinstance(code, types.ModuleType) else getattr(code, "__module__", None)
    if module is None or module.partition(".")[0] in (OWN, "builtins", "torch", "numpy"):
        return False
    file = getattr(sys.modules.get(module), "__file__", None)
    return file is None or is_users_file(file)


def is_users_file(file: str) -> bool:
    """Whether a file is neither installed nor built in nor ours."""
    return not file.startswith((*LIBRARIES, *OURS, "<frozen"))


def is_ours(file: str) -> bool:
    """Whether a file is of this project's judge."""
    return file.startswith(OURS)


@lru_cache(1024)
def mentioned(code: types.CodeType) -> tuple[str, ...]:
    """The names that a function's text looks up beyond its own variables, those of functions within it too."""
    within = (name for one in code.co_consts if isinstance(one, types.CodeType) for name in mentioned(one))
    return tuple(dict.fromkeys((*code.co_names, *within)))


@dataclass
class Reach:
    """All that can be reached from some roots, by name: every array's slots, and what puts everything back.

    Dicts, lists, objects of a user's class, closures, the globals that his functions mention, generators of random
    numbers. torch modules and installed code are left alone.
    """

    roots: Mapping[str, Any]
    slots: list[Slot] = field(default_factory=list)
    generators: list[Any] = field(default_factory=list)
    modules: dict[str, Any] = field(default_factory=dict)  # torch's, by name
    _undo: list[Callable[[], None]] = field(default_factory=list)
    _lists: list[Callable[[], None]] = field(default_factory=list)
    _seen: dict[int, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, root in self.roots.items():
            self._visit(root, name)

    def put_back(self) -> None:
        """Everything as it was, bit for bit."""
        for undo in (*self._undo, *self._lists):
            undo()

    def forget(self) -> None:
        """Lists as long as they were, and gradients zero: what a first call made stays, what it kept does not."""
        for undo in self._lists:
            undo()
        for slot in Reach(self.roots).slots:
            if "grad" in slot.name.lower() and isinstance(value := slot.get(), np.ndarray) and value.flags.writeable:
                value[...] = 0

    def aliases(self, array: Any) -> list[Slot]:
        """Every slot in which this very array stands."""
        return self._by_array.get(id(array), [])

    @cached_property
    def _by_array(self) -> dict[int, list[Slot]]:
        found: dict[int, list[Slot]] = {}
        for slot in self.slots:
            found.setdefault(id(slot.get()), []).append(slot)
        return found

    def _visit(self, value: Any, name: str, slot: Slot | None = None) -> None:
        if isinstance(value, PLAIN):
            if slot is not None and is_scalar(value):
                self.slots.append(slot)
            return
        if slot is not None and is_floating(value):
            self.slots.append(slot)
        if id(value) in self._seen or type(value).__module__ in CALLS:
            return
        self._seen[id(value)] = value
        if isinstance(value, np.ndarray):
            self._keep_array(value, name)
        elif is_tensor(value):
            self._keep_tensor(value, name)
        elif isinstance(value, MutableMapping) and not isinstance(value, types.MappingProxyType):
            self._keep_mapping(value, name)
        elif isinstance(value, MutableSequence | deque):
            self._lists.append(partial(_refill, value, list(value)))
            self._items(enumerate(value), value, name)
        elif isinstance(value, (tuple, frozenset, set)):
            if isinstance(value, set):
                self._undo.append(partial(_refill_set, value, set(value)))
            self._items(enumerate(value), value, name)
        elif isinstance(value, np.random.Generator):
            self._keep_generator(value.bit_generator)
        elif isinstance(value, np.random.RandomState):
            self.generators.append(value)
            self._undo.append(partial(value.set_state, value.get_state()))
        elif isinstance(value, random.Random):
            self.generators.append(value)
            self._undo.append(partial(value.setstate, value.getstate()))
        elif is_module(value):
            self.modules[name] = value
        elif is_of_optim(value):
            self._keep_optimizer(value)
        elif isinstance(value, partial):
            self._visit(value.func, f"{name}[0]")
            self._undo.append(partial(_rebind, value, value.args))
            for n, part in enumerate(value.args):
                slot = Slot(f"{name}[{n + 1}]", value, BOUND, n)
                self._visit(part, slot.name, slot)
            self._keep_mapping(value.keywords, name)
        elif inspect.ismethod(value):
            self._visit(value.__func__, name)
            if isinstance(value.__self__, type):
                self._keep_classes(value.__self__)
            else:
                self._visit(value.__self__, name)
        elif inspect.isfunction(value):
            if is_users(value):
                self._keep_function(value)
        elif isinstance(value, types.ModuleType):
            if value in self.roots.values():
                self._keep_mapping(vars(value), name, public=True, undo=False)
        elif is_users(type(value)) or type(value).__module__.startswith(f"{OWN}.scratch") or is_bag(value):
            self._keep_object(value, name)

    def _items(self, items: Any, holder: Any, name: str) -> None:
        for key, part in list(items):
            shown = f"{name}[{key!r}]"
            self._visit(part, shown, Slot(shown, holder, ITEM, key))

    def _keep_mapping(self, value: Any, name: str, public: bool = False, undo: bool = True) -> None:
        if undo:
            self._undo.append(partial(_refill_mapping, value, dict(value)))
        for key, part in list(value.items()):
            if public and (str(key).startswith("_") or not is_data(part)):
                continue
            shown = dotted(name, key) if public else f"{name}[{key!r}]"
            slot = Slot(shown, value, ITEM, key)
            if public and not undo:
                self._undo.append(partial(slot.set, part))
            self._visit(part, shown, slot)

    def _keep_object(self, value: Any, name: str) -> None:
        own = getattr(value, "__dict__", None)
        if own is not None:
            self._undo.append(partial(_refill_mapping, own, dict(own)))
        slots = [key for kind in type(value).__mro__ for key in _named_slots(kind)]
        parts = {**{key: getattr(value, key) for key in slots if hasattr(value, key)}, **(own or {})}
        self._undo += [partial(_unset, value, key) for key in slots if key not in parts]
        for key, part in parts.items():
            shown = dotted(name, key)
            slot = Slot(shown, value, ATTRIBUTE, key)
            if key in slots:
                self._undo.append(partial(slot.set, part))
            self._visit(part, shown, slot)
        self._keep_classes(type(value))

    def _keep_classes(self, kind: type) -> None:
        for base in kind.__mro__:
            if id(base) not in self._seen and is_users(base):
                self._seen[id(base)] = base
                self._keep_class(base)

    def _keep_class(self, kind: type) -> None:
        """What a class holds for all its objects, and what its methods look up among the globals."""
        for key, part in list(vars(kind).items()):
            if key.startswith("__"):
                continue
            if is_data(part) or isinstance(part, int | float):
                self._undo.append(partial(setattr, kind, key, part))
                self._visit(part, f"{kind.__name__}.{key}", Slot(f"{kind.__name__}.{key}", kind, ATTRIBUTE, key))
            elif inspect.isfunction(part):
                self._visit(part, key)

    def _keep_array(self, value: Array, name: str) -> None:
        if value.dtype == object:
            self._items(np.ndenumerate(value), value, name)
        if value.flags.writeable:
            self._undo.append(partial(_write_array, value, value.copy()))

    def _keep_tensor(self, value: Any, name: str) -> None:
        self._undo.append(partial(_write_tensor, value, value.detach().clone(), value.data, value.grad))
        self._keep_attributes(value, name)

    def _keep_attributes(self, value: Any, name: str) -> None:
        """What hangs on it, and nothing that is hung on it later."""
        self._undo.append(partial(_refill_mapping, vars(value), dict(vars(value))))
        for key, part in list(vars(value).items()):
            self._visit(part, dotted(name, key), Slot(dotted(name, key), value, ATTRIBUTE, key))

    def _keep_optimizer(self, value: Any) -> None:
        """Torch's optimizers and schedulers: what they count and keep."""
        self._undo.append(partial(_refill_mapping, vars(value), dict(vars(value))))
        for key in ("state", "param_groups"):
            part = getattr(value, key, None)
            if isinstance(part, dict):
                copies = {name: dict(entries) for name, entries in part.items()}
                clones = {n: {k: v.clone() if is_tensor(v) else v for k, v in e.items()} for n, e in copies.items()}
                self._undo.append(partial(_refill_mapping, part, clones))
            elif isinstance(part, list):
                for group in part:
                    self._undo.append(partial(_refill_mapping, group, dict(group)))
        if (inner := getattr(value, "optimizer", None)) is not None:
            self._visit(inner, "optimizer")

    def _keep_generator(self, bits: Any) -> None:
        self.generators.append(bits)
        self._undo.append(partial(setattr, bits, "state", bits.state))

    def _keep_function(self, function: Any) -> None:
        """Its closure, its defaults, what hangs on it, and the globals that it mentions."""
        for key, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            try:
                part = cell.cell_contents
            except ValueError:  # not filled yet
                continue
            slot = Slot(key, cell, CELL)
            self._undo.append(partial(slot.set, part))
            self._visit(part, key, slot)
        for part in (function.__defaults__, function.__kwdefaults__):
            self._visit(part, function.__name__)
        if vars(function):
            self._keep_mapping(vars(function), function.__name__)
        if id(function.__globals__) not in self._seen:
            self._seen[id(function.__globals__)] = function.__globals__
            self._undo.append(partial(_without_new, function.__globals__, set(function.__globals__)))
        names = mentioned(function.__code__)
        for key in names:
            if key not in function.__globals__:
                continue
            part = function.__globals__[key]
            if isinstance(part, types.ModuleType) and is_users(part):
                for inner in names:
                    self._global(vars(part), inner)
            else:
                self._global(function.__globals__, key)

    def _global(self, where: dict[str, Any], key: str) -> None:
        if key not in where or isinstance(where[key], types.ModuleType):
            return
        part = where[key]
        if isinstance(part, type):
            if id(part) not in self._seen and is_users(part):
                self._seen[id(part)] = part
                self._keep_class(part)
            return
        slot = Slot(key, where, ITEM, key)
        if is_data(part) or isinstance(part, int | float):
            self._undo.append(partial(slot.set, part))
        self._visit(part, key, slot)


def _rebind(bound: Any, args: tuple[Any, ...]) -> None:
    """A functools.partial with these arguments, the very tuple."""
    if bound.args is not args:
        bound.__setstate__((bound.func, args, bound.keywords, vars(bound)))


def is_bag(value: Any) -> bool:
    """A library's object that holds whatever attributes a user gives it."""
    return isinstance(value, types.SimpleNamespace | argparse.Namespace)


def is_data(value: Any) -> bool:
    """Something that holds numbers or may come to do so: no module, class or function."""
    return (not isinstance(value, types.ModuleType | type) and not callable(value)) or is_holder(value)


def is_holder(value: Any) -> bool:
    """An object of a user's class, even one that can be called."""
    return not inspect.isroutine(value) and not isinstance(value, type) and is_users(type(value))


def dotted(name: str, key: Any) -> str:
    return f"{name}.{key}" if name else str(key)


def _named_slots(kind: type) -> tuple[str, ...]:
    named = vars(kind).get("__slots__", ())
    return (named,) if isinstance(named, str) else tuple(named)


def _unset(holder: Any, key: str) -> None:
    if hasattr(holder, key):
        delattr(holder, key)


def _write_array(array: Array, values: Array) -> None:
    array[...] = values


def _write_tensor(tensor: Any, values: Any, data: Any, grad: Any) -> None:
    tensor.data = data
    tensor.data.copy_(values)
    tensor.grad = grad


def _refill(holder: Any, parts: list[Any]) -> None:
    if len(holder) != len(parts) or any(a is not b for a, b in zip(holder, parts, strict=True)):
        holder.clear()
        holder.extend(parts)


def _without_new(holder: dict[str, Any], known: set[str]) -> None:
    for key in set(holder) - known:
        del holder[key]


def _refill_set(holder: set[Any], parts: set[Any]) -> None:
    holder.clear()
    holder.update(parts)


def _refill_mapping(holder: Any, parts: dict[Any, Any]) -> None:
    if list(holder) != list(parts):
        holder.clear()
    holder.update(parts)
