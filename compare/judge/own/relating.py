"""How a wrong tensor relates to the right one, in words."""

from typing import Any


def cause_of(record: Any, failing: Any, first: str, side: str) -> str:
    return ""
