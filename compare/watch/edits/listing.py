"""All edits of the statement at a line, the likeliest first."""

import ast
from collections.abc import Iterator, Sequence

from twofold.compare.watch.edits import adding, arithmetic, arrays, exchanges, paths, statements
from twofold.compare.watch.edits.edit import Change, Edit, Rewrite, short, text
from twofold.compare.watch.edits.reading import Site, exchanged, located, site
from twofold.compare.watch.edits.scope import Scope

MOST = 400  # edits of one statement
WITHIN = (
    *(arithmetic.dropped, arithmetic.operators, arithmetic.squared),
    *(
        adding.factors,
        adding.terms,
        adding.functions,
        adding.methods,
        adding.strides,
        adding.multiplied,
        paths.of_norms,
        paths.of_softmax,
    ),
    *(arrays.transposed, arrays.reduced, arrays.indexed),
    *(
        exchanges.operands,
        exchanges.constants,
        exchanges.swapped,
        exchanges.tests,
        exchanges.compared,
        exchanges.functions,
        statements.copied_first,
    ),
)
AROUND = (statements.stored, statements.dropped, statements.moved, statements.put_in)


def edits_of(file: str, line: int, numbers: Sequence[float] = ()) -> Iterator[Edit]:
    """The edits of the statement at a line, the likeliest first, each once, some hundreds at most.

    `numbers` are those that the reference has, such as its eps. None for a line without a statement, and for one that
    is left alone: imports, definitions, loops that may not end and what stands in them, files and printing.
    """
    where = site(file, line)
    if where is None:
        return
    scope = Scope(where)
    found: list[tuple[float, int, Change | Rewrite]] = []
    for find in WITHIN:
        found += [(one.rank + away(scope, one), len(found), one) for one in find(scope)]
    for of_numbers in (exchanges.numbers, exchanges.steps):
        found += [(one.rank + away(scope, one), len(found), one) for one in of_numbers(scope, numbers)]
    for around in AROUND:
        found += [(one.rank, len(found), one) for one in around(scope)]
    seen = {text(where.statement)}
    for rank, _, one in sorted(found, key=lambda item: item[0]):
        edit = settled(where, rank, one)
        written = "\n".join(map(text, edit.statements)) if edit is not None else ""
        if edit is None or written in seen or (pointless(edit.statements) and not pointless([where.statement])):
            continue
        seen.add(written)
        yield edit
        if len(seen) > MOST:
            return


def pointless(statements: Sequence[ast.stmt]) -> bool:
    """Whether something is divided by itself or taken from itself: that may make up for a mistake, and is none."""
    pairs = (
        (node.left, node.right)
        for statement in statements
        for node in ast.walk(statement)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div | ast.Sub)
    )
    return any(text(left) == text(right) for left, right in pairs)


def away(scope: Scope, one: Change) -> float:
    return min(scope.away(old) for old, _ in one.pairs)


def settled(where: Site, rank: float, one: Change | Rewrite) -> Edit | None:
    """The edit with its statements; None for one that is no Python."""
    index, node = where.index, where.statement
    if isinstance(one, Rewrite):
        start, stop, new, told = index - one.before, index + one.after + 1, one.statements, one.told
        old_text, new_text = "\n".join(map(text, where.block[start:stop])), "\n".join(map(text, new))
        line = node.lineno
    else:
        start, stop = index, index + 1
        new = (exchanged(node, {id(old): new for old, new in one.pairs}),)
        line = min(getattr(old, "lineno", node.lineno) for old, _ in one.pairs)
        old, other = one.pairs[0]
        old_text, new_text = text(old), text(other)
        told = one.told() if callable(one.told) else one.told or f"`{short(other)}` for `{short(old)}`"
        told += f" in line {line}"
    located(new, line)
    try:
        return Edit(where.file, line, old_text, new_text, f"with {told}", rank, where, start, stop, new)
    except (AttributeError, ValueError):
        return None
