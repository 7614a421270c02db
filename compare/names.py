"""Names and words that others wrote, in arguments and in files: data to be shown, whatever characters they hold."""

from collections.abc import Iterable
from difflib import get_close_matches

MOST = 3  # names that are suggested


def plain(text: object) -> str:
    """In one line of printable characters: what moves, colours, hides or breaks is written as Python writes it."""
    told = str(text)
    if told.isprintable():
        return told
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in told)


def plain_lines(text: object) -> str:
    """The same for a text of several lines."""
    return "\n".join(map(plain, str(text).split("\n")))


def near(name: str, names: Iterable[str]) -> list[str]:
    """Those that a name may be a slip of: the one that differs by case or by _ for - alone, else the most alike."""
    known: dict[str, str] = {}
    for one in names:
        known.setdefault(bare(one), one)
    if bare(name) in known:
        return [known[bare(name)]]
    return [known[found] for found in get_close_matches(bare(name), known, MOST, 0.5)]


def bare(name: str) -> str:
    return name.casefold().replace("_", "-")


def meant(name: str, names: Iterable[str]) -> str:
    """What a message about an unknown name ends with; empty where nothing is near."""
    return f"; did you mean {', '.join(found)}?" if (found := near(name, names)) else ""
