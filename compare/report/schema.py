"""The JSON Schema of report.json, made of the dataclasses that are written there.

`python -m twofold.compare.report.schema` writes it to report.schema.json, which stands beside this file.
"""

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np

from twofold.compare.judge.battery import Result
from twofold.compare.judge.evidence.branches import Flip
from twofold.compare.judge.finding import Divergence, Quantity, Spot, Verdict
from twofold.compare.records import NOT_FINITE
from twofold.compare.report.content import PARTS
from twofold.compare.report.pair import PairReport
from twofold.compare.report.sources import Source

FILE = Path(__file__).with_name("report.schema.json")
PLAIN = {str: "string", int: "integer", bool: "boolean", NoneType: "null"}
WORDS: dict[str, Any] = {"enum": list(NOT_FINITE)}  # what stands for a number that is not finite
NULL: dict[str, Any] = {"type": "null"}


class Schema:
    """Schemas of types, each dataclass once; `odd` is what stands for a number that is not finite."""

    def __init__(self, odd: dict[str, Any], suffix: str = "") -> None:
        self.odd, self.suffix = odd, suffix
        self.classes: dict[str, Any] = {}

    def of(self, kind: Any) -> Any:
        """As `records.read` takes the type."""
        origin, inner = get_origin(kind), get_args(kind)
        if origin in (Union, UnionType):
            return {"anyOf": [self.of(one) for one in inner if not is_error(one)]}
        if origin is Literal:
            return {"enum": list(inner)}
        if origin is tuple and inner[-1] is not Ellipsis:
            return {"type": "array", "prefixItems": [self.of(one) for one in inner], "items": False}
        if origin in (tuple, list):
            return {"type": "array", "items": self.of(inner[0])}
        if isinstance(origin, type) and issubclass(origin, Mapping):
            return {"type": "object", "propertyNames": self.of(inner[0]), "additionalProperties": self.of(inner[1])}
        if is_dataclass(kind):
            return self.of_class(kind)
        if (origin or kind) is np.ndarray:
            shape, values = {"type": "array", "items": {"type": "integer"}}, self.of(list[float])
            return record({"dtype": {"type": "string"}, "shape": shape, "values": values})
        if kind is float:
            return {"anyOf": [{"type": "number"}, self.odd]}
        if issubclass(kind, Enum):
            return {"enum": [one.value for one in kind]}
        return {"type": PLAIN[kind]}

    def of_class(self, kind: Any) -> dict[str, Any]:
        name = kind.__name__ + self.suffix
        if name not in self.classes:
            self.classes[name] = {}  # while it is made, for one that holds itself
            hints = get_type_hints(kind)
            self.classes[name] = record({field.name: self.of(hints[field.name]) for field in fields(kind)})
        return {"$ref": f"#/$defs/{name}"}


def is_error(kind: Any) -> bool:
    """An exception is never written."""
    return isinstance(kind, type) and issubclass(kind, Exception)


def record(properties: dict[str, Any]) -> dict[str, Any]:
    """An object with all of these and no more."""
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def schema() -> dict[str, Any]:
    exact, strict = Schema(WORDS), Schema(NULL, "OrNull")
    hints = get_type_hints(PairReport)
    pair = {name: exact.of(hints[name]) for name in PARTS}
    pair["trials"] = {"type": "array", "items": exact.of(Result | None)}
    pair["full_size"] = exact.of(str | None)
    pair["sources"] = exact.of(list[str])
    anything, text = {"type": "object"}, {"type": "string"}
    top = {
        "schema": {"const": 1},
        "environment": anything,
        "results": {"type": "array", "items": result(strict)},
        "written": text,
        "training": {"type": "array", "items": {"type": "object", "required": ["pair", "dtype", "steps", "sides"]}},
        "faults": {"type": "object", "required": ["schema", "faults", "sensitivity", "survivors"]},
        "sources": exact.of(dict[str, Source]),
        "pairs": {"type": "array", "items": record(pair)},
    }
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "report.json"}
    return {**head, **record(top), "$defs": {**exact.classes, **strict.classes}}


def result(of: Schema) -> dict[str, Any]:
    """As results.py writes it."""
    ratios = of.of(list[list[float]])
    gates = record({"stage": of.of(str), "gates": of.of(list[str]), "ratios": ratios, "line": of.of(str)})
    check = {
        "check": of.of(str),
        "verdict": of.of(Verdict),
        "reason": of.of(str),
        "quantities": of.of(list[Quantity]),
        "first_divergence": of.of(Divergence | None),
        "line": of.of(Spot | None),
        "blame": of.of(str | None),
        "blame_reason": of.of(str | None),
        "gates": {"anyOf": [gates, NULL]},
        "probable_cause": of.of(str | None),
        "causes": of.of(list[str]),
    }
    return record(
        {
            "pair": of.of(str),
            "dtype": of.of(str),
            "device": of.of(str),
            "verdict": of.of(Verdict),
            "seconds": {"type": "number"},
            "flips": of.of(list[Flip]),
            "checks": {"type": "array", "items": record(check)},
        }
    )


if __name__ == "__main__":
    FILE.write_text(json.dumps(schema(), indent=1) + "\n")
