"""JSON as every program reads it: what is not finite is null, for JSON has neither NaN nor infinity."""

import json
import math
from collections.abc import Mapping
from typing import Any


def dumps(content: Any, indent: int | None = None) -> str:
    return json.dumps(finite(content), indent=indent, allow_nan=False)


def with_nan(content: Any) -> Any:
    """Numbers as they were written, with NaN where one was not finite."""
    if isinstance(content, Mapping):
        return {key: with_nan(part) for key, part in content.items()}
    if isinstance(content, list):
        return [with_nan(part) for part in content]
    return math.nan if content is None else content


def finite(content: Any) -> Any:
    """The same content with None for every number that is not finite."""
    if isinstance(content, float):
        return content if math.isfinite(content) else None
    if isinstance(content, Mapping):
        return {key: finite(part) for key, part in content.items()}
    if isinstance(content, tuple):
        return tuple(finite(part) for part in content)
    return [finite(part) for part in content] if isinstance(content, list) else content
