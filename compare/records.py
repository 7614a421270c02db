"""Dataclasses as plain content that JSON can hold, and back: nothing but data is ever read."""

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np

NOT_FINITE = ("nan", "inf", "-inf")


def written(value: Any) -> Any:
    """Dataclasses by their fields, arrays by dtype, shape and values, what is not finite as a word. No exception."""
    if is_dataclass(value):
        return {field.name: written(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, np.ndarray):
        return {"dtype": str(value.dtype), "shape": list(value.shape), "values": written(value.ravel().tolist())}
    if isinstance(value, Mapping):
        return {key: written(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [written(part) for part in value]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return None if isinstance(value, Exception) else value


def read(kind: Any, content: Any) -> Any:
    """The value of that type which was written so. Raises ValueError, TypeError or KeyError where it is none."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return read_one_of(inner, content)
    if origin is Literal or kind is Any:
        return expected(kind is Any or content in inner, content)
    if origin in (tuple, list):
        expected(isinstance(content, list), content)
        each = inner if origin is tuple and inner[-1] is not Ellipsis else (inner[0],) * len(content)
        return origin(read(one, part) for one, part in zip(each, content, strict=True))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        expected(isinstance(content, Mapping), content)
        return {read(inner[0], key): read(inner[1], part) for key, part in content.items()}
    if is_dataclass(kind):
        expected(isinstance(content, Mapping), content)
        hints = get_type_hints(kind)
        return kind(**{name: read(hints[name], part) for name, part in content.items()})  # type: ignore[operator]
    if (origin or kind) is np.ndarray:
        expected(isinstance(content, Mapping), content)
        return np.array(read(list[float], content["values"]), content["dtype"]).reshape(content["shape"])
    if kind is float:
        return float(expected(type(content) in (int, float) or content in NOT_FINITE, content))
    return kind(content) if issubclass(kind, Enum) else expected(type(content) is kind, content)


def read_one_of(kinds: tuple[Any, ...], content: Any) -> Any:
    if content is None:
        return expected(NoneType in kinds, content)
    for kind in kinds:
        try:
            return read(kind, content)
        except (ValueError, TypeError, KeyError):
            continue
    return expected(False, content)


def expected(right: bool, content: Any) -> Any:
    if not right:
        raise ValueError(f"found {content!r}")
    return content
