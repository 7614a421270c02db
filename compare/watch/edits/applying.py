"""An edit while it lasts: the functions of a file run with other code, and then with their own again."""

import ast
import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import CodeType, FunctionType

from twofold.compare.watch.edits.edit import Edit
from twofold.compare.watch.edits.reading import Function, Key, Site, codes_in, located

Living = Mapping[Key, Sequence[FunctionType]]


def living(file: str) -> Living:
    """Every function object whose code comes from a file, by qualified name and first line."""
    found: dict[Key, list[FunctionType]] = {}
    for thing in gc.get_objects():
        if type(thing) is FunctionType and thing.__code__.co_filename == file:
            found.setdefault((thing.__code__.co_qualname, thing.__code__.co_firstlineno), []).append(thing)
    return found


@contextmanager
def applied(edit: Edit, functions: Living | None = None) -> Iterator[int]:
    """While it lasts every function that has the edited statement runs with the edit; gives how many do.

    Of a function around which there are others, as of a closure, both those that live and those made meanwhile. What is
    running already goes on as it was. 0 for text that is not what runs, as after a change of the file, and for an edit
    that does not compile. `functions` are those that live, where they are known.
    """
    site = edit.site
    try:
        new = edited(edit)
    except (SyntaxError, ValueError, TypeError, RecursionError):
        new = {}
    kept: list[tuple[FunctionType, CodeType]] = []
    for function in changing(site, new, living(edit.file) if functions is None else functions):
        kept.append((function, function.__code__))
    try:
        for function, code in kept:
            function.__code__ = new[code.co_qualname, code.co_firstlineno]
        yield len(kept)
    finally:
        for function, code in kept:
            function.__code__ = code


def changing(site: Site, new: Mapping[Key, CodeType], functions: Living) -> Iterator[FunctionType]:
    """The functions whose code is the file's own, and is another under the edit."""
    for key, code in new.items():
        own = site.codes.get(key)
        if own is None or own == code or own.co_freevars != code.co_freevars:
            continue
        for function in functions.get(key, ()):
            if is_same(function.__code__, own):
                yield function


def is_same(code: CodeType, own: CodeType) -> bool:
    """Whether the code that runs is what the text says."""
    return (code.co_code, code.co_names, code.co_varnames, code.co_freevars) == (
        *(own.co_code, own.co_names, own.co_varnames, own.co_freevars),
    )


def edited(edit: Edit) -> dict[Key, CodeType]:
    """The codes with the edit in them; the tree is as it was afterwards."""
    site = edit.site
    before = list(site.block)
    tree, function = site.alone, site.function
    if function is None:  # a statement of the module, of which only a lambda can be exchanged
        tree = ast.Module([*tree.body[:-1], *edit.statements], [])
    ends = [] if function is None else list(function.body)
    free = () if function is None else free_names(site, function)  # as long as nothing is changed
    try:
        site.block[edit.start : edit.stop] = edit.statements
        if function is not None and free:
            function.body.append(still_free(function, free))
        return codes_in(tree, site.file)
    finally:
        if function is not None and function.body is not site.block:
            function.body[:] = ends
        site.block[:] = before


def free_names(site: Site, function: Function) -> tuple[str, ...]:
    first = min([function.lineno, *(d.lineno for d in function.decorator_list)])
    codes = (code for (name, line), code in site.codes.items() if line == first and code.co_name == function.name)
    return next((code.co_freevars for code in codes), ())


def still_free(function: Function, names: Sequence[str]) -> ast.stmt:
    """What never runs, and keeps the names of the functions around in use, for a closure holds them in this order."""
    uses: list[ast.stmt] = [ast.Expr(ast.Name(name, ast.Load())) for name in names]
    never = ast.If(ast.Constant(False), uses, [])
    located([never], function.body[-1].end_lineno or function.lineno)
    return never
