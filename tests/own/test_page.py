"""docs/own-pair.md: each example runs as it stands and is the same; with the line that a diff exchanges, it is not.

What is printed is what the page says, as of the console blocks (tests/test_docs.py).
"""

import re
from typing import NamedTuple

import pytest

from tests.own.case import written
from tests.places import ROOT
from tests.test_docs import matches

PAGE = (ROOT / "docs" / "own-pair.md").read_text()


class Example(NamedTuple):
    name: str
    code: str
    texts: list[str]  # what is said of it as it stands, and with the mistake last
    old: str
    new: str


def examples() -> list[Example]:
    found = []
    parts = re.split(r"^```python (\S+)\n", PAGE, flags=re.M)[1:]
    for name, part in zip(parts[::2], parts[1::2], strict=True):
        code, _, rest = part.partition("```\n")
        texts = re.findall(r"^```text\n(.*?)^```$", rest, re.M | re.S)
        (diff,) = re.findall(r"^```diff\n(.*?)^```$", rest, re.M | re.S)
        old, new = ("\n".join(line[1:] for line in diff.splitlines() if line.startswith(sign)) for sign in ("-", "+"))
        found.append(Example(name, code, texts, old, new))
    return found


@pytest.mark.parametrize("example", examples(), ids=lambda example: example.name)
def test_an_example_is_the_same(example: Example) -> None:
    verdict = written(example.name, example.code).verdict
    assert verdict.same, str(verdict)
    for text in example.texts[:-1]:
        assert matches(text, str(verdict)), str(verdict)


@pytest.mark.parametrize("example", examples(), ids=lambda example: example.name)
def test_its_mistake_is_told_so(example: Example) -> None:
    assert example.code.count(example.old) == 1
    code = example.code.replace(example.old, example.new).replace("assert_equivalent", "judge")
    verdict = written(example.name, code).verdict
    assert verdict.outcome == "different"
    assert matches(example.texts[-1], str(verdict)), str(verdict)
