"""The paths of an SVG in few letters."""

import re
from collections.abc import Iterator

LENGTHS = {"M": 2, "L": 2, "Q": 4, "C": 6, "z": 0, "Z": 0}
FINE = 20  # points, up to which a path is a mark, and is rounded to hundredths and not to tenths
Part = tuple[str, list[int]]


def number(value: float, digits: int = 1) -> str:
    """Rounded, without what stands for nothing."""
    text = f"{value:.{digits}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else re.sub(r"^(-?)0\.", r"\1.", text)


def compact(path: str) -> str:
    """The same with each point told from the one before."""
    tokens = re.findall(r"[A-Za-z]|-?\d+\.?\d*(?:e-?\d+)?", path)
    digits = 1 if max((abs(float(token)) for token in tokens if not token.isalpha()), default=0) > FINE else 2
    found, last = [], ""
    for letter, values in merged(relative(tokens, 10**digits)):
        told = joined([number(value / 10**digits, digits) for value in values])
        found.append(f"{letter if letter != last else '' if told.startswith('-') else ' '}{told}")
        last = letter
    return "".join(found)


def relative(tokens: list[str], unit: int) -> Iterator[Part]:
    """Letters with whole numbers of units."""
    at, here, start = 0, (0, 0), (0, 0)
    while at < len(tokens):
        letter, count = tokens[at], LENGTHS[tokens[at]]
        values = [round(float(token) * unit) for token in tokens[at + 1 : at + 1 + count]]
        at += 1 + count
        if not count:
            here = start
            yield "z", []
        elif letter == "L" and tuple(values) == start and tokens[at : at + 1] in (["z"], ["Z"]):
            continue  # which goes there by itself
        elif letter == "M":
            here = start = values[0], values[1]
            yield "M", values
        else:
            shifted = [value - here[n % 2] for n, value in enumerate(values)]
            here = values[-2], values[-1]
            yield from line(*shifted) if letter == "L" else [(letter.lower(), shifted)]


def line(right: int, down: int) -> list[Part]:
    if right and down:
        return [("l", [right, down])]
    return [("h", [right])] if right else [("v", [down])] if down else []


def merged(parts: Iterator[Part]) -> Iterator[Part]:
    """What goes on straight along an axis as one."""
    held: Part | None = None
    for letter, values in parts:
        if held and letter in "hv" and held[0] == letter and (held[1][0] > 0) == (values[0] > 0):
            held = letter, [held[1][0] + values[0]]
            continue
        if held:
            yield held
        held = letter, values
    if held:
        yield held


def joined(words: list[str]) -> str:
    """A minus parts numbers by itself."""
    return "".join(word if n == 0 or word.startswith("-") else f" {word}" for n, word in enumerate(words))
