"""The arrays that a variable holds: itself, or in lists, dicts, and objects of the files that are watched.

Nothing of the user's code runs for it: no property, no __getattr__, __iter__, __getitem__, __eq__ or __repr__ of his.
"""

import sys
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import islice
from types import FrameType, GetSetDescriptorType, MemberDescriptorType
from typing import Any

import numpy as np

from twofold.compare.watch.statements import Chain, Key
from twofold.scratch.module import Array

MOST_PARTS = 400  # of a list, a dict or an object that is looked through
DEPTH = 4
NUMBERS = "biufc"  # the kinds of arrays that are looked at
WRITTEN_IN_PYTHON = 1 << 9  # of a type's flags
FUNCTIONS = (
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
    types.MethodWrapperType,
)
ENDS = (types.NoneType, np.ndarray, float, int, type, *FUNCTIONS)  # where a chain ends

Belongs = Callable[[str], bool]  # whether a file is watched
Place = tuple[str, Any, bool]


def arrays_in(value: Any, belongs: Belongs, depth: int = DEPTH) -> Iterator[tuple[str, Array]]:
    """The arrays and floats in a value, by the path to each, without the classes of theirs."""
    kind = type(value)  # isinstance would ask an object for its __class__
    if issubclass(kind, np.ndarray):
        yield from of_array(value, belongs, depth)
    elif issubclass(kind, float):
        yield "", np.array(float.__float__(value))
    elif issubclass(kind, np.floating):
        yield "", np.array(value)
    elif issubclass(kind, list | tuple | dict):
        yield from parts_of(entries(value), belongs, depth)
    elif is_tensor(value):
        yield from of_tensor(value)
    elif depth and is_of(kind, belongs):
        for name, part in islice(held_by(value), MOST_PARTS):
            for path, array in arrays_in(part, belongs, depth - 1):
                yield f".{name}{path}", array


def of_array(value: Array, belongs: Belongs, depth: int) -> Iterator[tuple[str, Array]]:
    array = np.ndarray.view(value, np.ndarray)
    if array.dtype.kind in NUMBERS:
        yield "", array
    elif array.dtype.names:
        for name in array.dtype.names:
            for path, part in of_array(array[name], belongs, depth):
                yield f"[{name!r}]{path}", part
    elif array.dtype == object:
        yield from parts_of(enumerate(islice(array.flat, MOST_PARTS)), belongs, depth)


def of_tensor(value: Any) -> Iterator[tuple[str, Array]]:
    if value.is_floating_point():
        plain = (value.float() if value.dtype.itemsize == 2 else value).detach()
        if plain.layout is sys.modules["torch"].strided and not plain.is_meta:
            yield "", plain.cpu().numpy()


def parts_of(parts: Iterable[tuple[Any, Any]], belongs: Belongs, depth: int) -> Iterator[tuple[str, Array]]:
    if not depth:
        return
    for key, part in list(islice(parts, MOST_PARTS)):
        for path, array in arrays_in(part, belongs, depth - 1):
            yield f"[{shown(key)}]{path}", array


def entries(value: Any) -> Iterator[tuple[Any, Any]]:
    """Those of a dict, or a list or tuple by number, whatever its class makes of them."""
    if isinstance(value, dict):
        return iter(dict.items(value))
    return enumerate(list.__iter__(value) if isinstance(value, list) else tuple.__iter__(value))


def shown(key: Any) -> str:
    return repr(key) if is_plain(key) else type(key).__name__


def is_plain(value: Any) -> bool:
    """Whether computing with it, or showing it, runs nothing of the user's."""
    if type(value) in (list, tuple):
        return len(value) <= MOST_PARTS and all(map(is_plain, value))
    return value is None or type(value) in (bool, int, float, str) or issubclass(type(value), np.integer)


def held_by(value: Any) -> Iterator[tuple[str, Any]]:
    """What an object has in its __dict__ and its slots."""
    for kind in type(value).__mro__:
        yield from list(islice(dict.items(own_dict(kind, value)), MOST_PARTS))
        for name, member in list(vars(kind).items()):
            if type(member) is MemberDescriptorType and name != "__dict__":
                try:
                    yield name, member.__get__(value)
                except AttributeError:  # a slot that is empty
                    continue


def own_dict(kind: type, value: Any) -> dict[str, Any]:
    """The __dict__ that a class gives its objects; an empty one where another does, or a property stands there."""
    member = vars(kind).get("__dict__")
    found = member.__get__(value) if isinstance(member, GetSetDescriptorType | MemberDescriptorType) else {}
    return found or {}


def is_tensor(value: Any) -> bool:
    """One of torch's, without importing it."""
    torch = sys.modules.get("torch")
    return hasattr(torch, "Tensor") and issubclass(type(value), torch.Tensor)  # type: ignore[union-attr]


def nothing(file: str) -> bool:
    """Of no file: objects are not looked into."""
    return False


def is_of(kind: type, belongs: Belongs) -> bool:
    """Whether a class is written in a file that is watched."""
    if not kind.__flags__ & WRITTEN_IN_PYTHON:
        return False
    module = sys.modules.get(str(kind.__module__))
    return belongs(getattr(module, "__file__", None) or "")


def resolved(chain: Chain, frame: FrameType, names: Mapping[str, Any]) -> Iterator[Place]:
    """What a chain says now: how far it can be followed as text, the value there, whether that is all of it.

    Arrays end it. Of a dict or list by a key that is computed it is the whole.
    """
    name, keys = chain
    value = names[name] if name in names else frame.f_globals.get(name)
    yield from followed(name, value, [settled(key, frame, names) for key in keys])


def settled(key: Key, frame: FrameType, names: Mapping[str, Any]) -> Key:
    """With what is computed in brackets, or for getattr, worked out."""
    kind, text = key
    if kind not in ("computed", "named"):
        return key
    code = compiled(text)
    scope = {name: names.get(name, frame.f_globals.get(name)) for name in code.co_names}
    if not all(map(is_plain, scope.values())):
        return "any", None  # what may run code of the user's
    try:
        value = eval(code, {"__builtins__": {}}, scope)
    except Exception:  # an index out of range, as the statement itself will say
        return "any", None
    if kind == "named":
        return ("attribute", value) if type(value) is str else ("any", None)
    return ("key", value) if is_plain(value) and type(value) is not list else ("any", None)


@lru_cache(maxsize=4096)
def compiled(text: str) -> Any:
    return compile(text, "<key>", "eval")


def followed(text: str, value: Any, keys: list[tuple[str, Any]]) -> Iterator[Place]:
    if not keys:
        yield text, value, True
        return
    (kind, key), rest = keys[0], keys[1:]
    of = type(value)
    if issubclass(of, ENDS):
        yield text, value, False
    elif kind == "attribute":
        if issubclass(of, list | tuple | dict | set) or (is_tensor(value) and key not in vars(value)):
            yield text, value, False  # a method of theirs
        else:
            yield from followed(f"{text}.{key}", attribute(value, key), rest)
    elif not issubclass(of, list | tuple | dict):
        yield text, value, False
    elif kind == "any":
        if not rest:
            yield text, value, True
            return
        for n, part in list(islice(entries(value), MOST_PARTS)):
            yield from followed(f"{text}[{shown(n)}]", part, rest)
    else:
        try:
            part = element(value, key)
        except (KeyError, IndexError, TypeError):
            return
        yield from followed(f"{text}[{key!r}]", part, rest)


def element(value: Any, key: Any) -> Any:
    """What stands there, without a class's own way to it, such as what makes an entry when it is asked for one."""
    if not issubclass(type(value), dict):
        return (list if isinstance(value, list) else tuple).__getitem__(value, key)
    missing = object()
    if (found := dict.get(value, key, missing)) is missing:
        raise KeyError(key)
    return found


def attribute(value: Any, name: str) -> Any:
    """What an object holds under a name; None for what it has not, for methods, and for what is computed."""
    missing = object()
    for kind in type(value).__mro__:
        if (found := dict.get(own_dict(kind, value), name, missing)) is not missing:
            return found
    found = next((vars(kind)[name] for kind in type(value).__mro__ if name in vars(kind)), None)
    if type(found) is MemberDescriptorType:
        try:
            return found.__get__(value)
        except AttributeError:
            return None
    return None if any("__get__" in vars(kind) for kind in type(found).__mro__) else found
