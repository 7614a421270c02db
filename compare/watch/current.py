"""Whether the text of a file is what runs, or was changed since it was imported."""

import warnings
from functools import lru_cache
from types import CodeType

from twofold.compare.watch.statements import UNREADABLE, source_of, statements_of


def is_current(code: CodeType) -> bool:
    """Whether a file's text is what runs; where it was changed since, its lines are others'."""
    file, text = code.co_filename, "".join(source_of(code.co_filename))
    found = _codes(file, text) if text.strip() else {}
    if not found or code.co_name == "<module>":
        return True
    return any(is_same(code, own) for own in found.get((code.co_name, code.co_firstlineno), ()))


@lru_cache(maxsize=256)
def _codes(file: str, text: str) -> dict[tuple[str, int], list[CodeType]]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            left = [compile(text, file, "exec", dont_inherit=True)]
    except UNREADABLE:
        return {}
    found: dict[tuple[str, int], list[CodeType]] = {}
    while left:
        code = left.pop()
        left += [one for one in code.co_consts if isinstance(one, CodeType)]
        found.setdefault((code.co_name, code.co_firstlineno), []).append(code)
    return found


def is_same(code: CodeType, own: CodeType) -> bool:
    """Whether they may be one text; where asserts were rewritten, as by pytest, or closures differ, by less."""
    rewritten = any(name.startswith("@py_") for name in (*code.co_names, *code.co_varnames))
    alike = (code.co_freevars, code.co_cellvars) == (own.co_freevars, own.co_cellvars)
    if alike and not rewritten and code.co_code != own.co_code:
        return False
    names = set(own.co_names) <= set(code.co_names) and set(own.co_varnames) <= set(code.co_varnames)
    return names and numbers(own) <= numbers(code) and places(own) == places(code)


def numbers(code: CodeType) -> set[tuple[type, str]]:
    return {(type(one), repr(one)) for one in code.co_consts if isinstance(one, int | float)}


def places(code: CodeType) -> set[int]:
    """The lines at which its statements begin."""
    known = statements_of(code.co_filename)
    lines = {line for _, _, line in code.co_lines() if line}
    return {known[line].line if line in known else line for line in lines}
