"""report.json is what its schema says, by the few words of JSON Schema that the schema uses."""

import json
from copy import deepcopy
from typing import Any

import pytest

from tests.report.reports import KINDS, MADE_IN
from twofold.compare.report.content import as_content
from twofold.compare.report.schema import FILE, schema
from twofold.compare.strict import dumps

TYPES = {"string": str, "boolean": bool, "array": list, "object": dict, "null": type(None)}
SCHEMA = json.loads(FILE.read_text())


def is_of(kind: str, value: Any) -> bool:
    if kind in ("integer", "number"):
        return isinstance(value, int if kind == "integer" else int | float) and not isinstance(value, bool)
    return isinstance(value, TYPES[kind])


def wrong(value: Any, by: Any, where: str = "") -> list[str]:
    """Where a value is not what a schema says."""
    if isinstance(by, bool):
        return [] if by else [where]
    if "$ref" in by:
        return wrong(value, SCHEMA["$defs"][by["$ref"].rpartition("/")[2]], where)
    if "anyOf" in by:
        return min((wrong(value, one, where) for one in by["anyOf"]), key=len)
    if ("enum" in by and value not in by["enum"]) or ("const" in by and value != by["const"]):
        return [where]
    if "type" in by and not is_of(by["type"], value):
        return [where]
    if isinstance(value, list):
        first = by.get("prefixItems", [])
        rest = [by.get("items", True)] * len(value)
        parts = zip(value, [*first, *rest[len(first) :]], strict=False)
        return [bad for n, (part, one) in enumerate(parts) for bad in wrong(part, one, f"{where}/{n}")]
    if isinstance(value, dict):
        found = [f"{where}/{key}" for key in by.get("required", []) if key not in value]
        found += [f"{where}/{key}" for key in value if wrong(key, by.get("propertyNames", True), where)]
        for key, part in value.items():
            one = by.get("properties", {}).get(key, by.get("additionalProperties", True))
            found += wrong(part, one, f"{where}/{key}")
        return found
    return []


def content(kind: str) -> Any:
    return json.loads(dumps(as_content([KINDS[kind]], MADE_IN)))


def test_the_schema_that_is_kept_is_that_of_the_code() -> None:
    assert json.loads(json.dumps(schema())) == SCHEMA, "python -m twofold.compare.report.schema"


@pytest.mark.parametrize("kind", KINDS)
def test_every_report_is_valid(kind: str) -> None:
    assert wrong(content(kind), SCHEMA) == []


SPOILT = {
    "a verdict that is none": (("results", 0, "verdict"), "passed"),
    "an error in words": (("results", 0, "checks", 0, "quantities", 0, "error"), "small"),
    "a number without bound in words": (("results", 0, "checks", 0, "quantities", 0, "ratio"), "inf"),
    "a loss that is none": (("pairs", 0, "runs", "scratch", "losses", 1), None),
    "a side that is none": (("pairs", 0, "runs", "third"), "raised"),
    "a count in words": (("pairs", 0, "about", "steps"), "five"),
    "more than there is": (("pairs", 0, "more"), 1),
    "another schema": (("schema",), 2),
}


@pytest.mark.parametrize("what", SPOILT)
def test_what_is_spoilt_is_not_valid(what: str) -> None:
    (*path, last), value = SPOILT[what]
    spoilt = deepcopy(content("green"))
    place = spoilt
    for key in path:
        place = place[key]
    place[last] = value
    assert wrong(spoilt, SCHEMA)
