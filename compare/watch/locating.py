"""Where two sides part: the statement whose result differs though all that it read agrees.

The first of the wrong values in the flow of the data, whose readings are none of them, is where the two part.
"""

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from twofold.compare.watch.edits.reading import site
from twofold.compare.watch.flow import Flow
from twofold.compare.watch.matching import ONE, Match
from twofold.compare.watch.statements import Statement, statements_of
from twofold.compare.watch.trace import Execution

LEADING, NUMBERLESS = 3, 2  # suspects that are looked behind, beside other beginnings, and how many indices of each
USE = "use"  # what ends the label of what one of a parameter's uses adds to its gradient
NEXT = 8  # lines that only pass a value on, as tried before what else is wrong


@dataclass(frozen=True)
class Known:
    """A value that agrees: by which name it was bound where, and what it is to torch."""

    statement: Statement
    name: str
    match: Match


@dataclass(frozen=True)
class Parting:
    """The statement with which a difference begins, and what agrees just before it."""

    statement: Statement
    name: str  # of what binds what differs first
    times: int  # how often that had been bound before: the step of a loop
    runs: int  # how often it is bound in all
    agreeing: tuple[Known, ...] = ()  # what it read that agrees
    suspects: tuple[Statement, ...] = ()  # this one first, then others that may be meant, likeliest first
    size: int = 0  # how many statements ran
    first: int = 0  # the line with what differs first, also where another is meant
    alone: bool = False  # whether that is what one use of a parameter adds, without the others

    @property
    def when(self) -> str:
        """Which of the times that the line ran; "" of one that ran once."""
        if self.runs < 2:
            return ""
        n = self.times + 1
        ends = {1: "st", 2: "nd", 3: "rd"}
        end = "th" if n % 100 in (11, 12, 13) else ends.get(n % 10, "th")
        return f", the {n}{end} of {self.runs} times"

    @property
    def agree(self) -> tuple[str, ...]:
        """Some of what it read that agrees, by name and line."""
        return tuple(f"{one.name} (line {one.statement.line})" for one in self.agreeing if one.name)[:3]

    def shifted(self, file: str, line: int) -> "Parting":
        """With another of the suspects as the line that is meant."""
        meant = next((one for one in self.suspects if one.file == file and one.line <= line <= one.end), self.statement)
        return replace(self, statement=meant)


def parted(flow: Flow, meant: Callable[[Statement], bool] = lambda statement: True) -> Parting | None:
    """Where the wrong results begin to be wrong; None where no statement made them.

    Of several beginnings one that is `meant` comes first, as in the module that is known to be wrong.
    """
    makers = flow.trace.makers
    bad = flow.bad()
    all_bad = set(bad)
    first = [value for value in bad if flow.begins(value, all_bad)]
    first.sort(key=lambda value: not meant(makers[value].statement))
    if not first:
        return None
    # what agrees only because a right result needed it may be wrong in a way that this result does not show
    unsure = scaled(flow, first[0]) or doubtful_behind(flow, first[0])
    others = flow.behind([*flow.results, *bad]) - all_bad - set(unsure)
    before = sorted((value for value in others if value in makers), key=flow.place, reverse=True)
    lead = (unsure or first)[0]
    near = [read for read in flow.read_for(lead) if read in makers and not flow.neutral(read)]  # a part may be missing
    ranked = [*unsure[:1], *first[:1], *unsure, *near, *first, *(v for v in bad if v not in first)]
    value, maker = ranked[0], makers[ranked[0]]
    handing = handing_on(flow, value)
    statement = handing or maker.statement
    through = [one.statement for one in carriers(flow, value)]
    for part in near:
        through += [makers[part].statement, *(one.statement for one in carriers(flow, part))]
        if not flow.matches(part):  # torch may have what it is made of as little
            through += [makers[read].statement for read in flow.read_for(part) if read in makers]
    wrong, right = ([makers[value].statement for value in values] for values in (ranked, before))
    through = list(dict.fromkeys(through))
    begun = list(dict.fromkeys([statement, *(makers[other].statement for other in (value, *first[:LEADING]))]))
    short = [makers[part].statement for part in short_of(flow, value)]
    suspects = list(dict.fromkeys((*begun, *short, *through[:NEXT], *wrong, *through[NEXT:], *right)))
    return Parting(
        statement,
        name_of(maker, value),
        maker.times,
        times_made(flow, maker.statement),
        tuple(known(flow, maker, value)),
        tuple(dict.fromkeys(with_numberless(flow, suspects, len(begun) + LEADING - 1))),
        len(flow.trace.executions),
        maker.statement.line,
        handing is not None,
    )


def short_of(flow: Flow, value: int) -> Iterator[int]:
    """Sums that it read which torch has not, though their parts are torch's, and the parts: one may lack a term."""
    for read in flow.read_for(value):
        part = flow.before(read) if read in flow.trace.makers and not flow.matches(read) else None
        if part is not None and not flow.neutral(part):
            yield from (one for one in (part, read) if one in flow.trace.makers)


def handing_on(flow: Flow, value: int) -> Statement | None:
    """Of a result that is what one of several uses adds what hands it on without the others.

    Where it was added to something, or is made several times, its own line is the one that lacks them.
    """
    maker, passed, values = flow.trace.makers[value], flow.trace.passed.get(value), flow.trace.values
    once = times_made(flow, maker.statement) == 1
    alone = any(USE in match.label[2:] and abs(match.factor - 1) <= ONE for match in flow.matches(value))
    added = any(values[read].shape == values[value].shape and flow.neutral(read) for read in flow.read_for(value))
    return passed[-1].statement if passed and once and alone and not added and value in flow.results else None


def times_made(flow: Flow, statement: Statement) -> int:
    """How often it bound something new."""
    return sum(one.statement is statement and bool(one.made) for one in flow.trace.executions)


def with_numberless(flow: Flow, suspects: Sequence[Statement], leading: int) -> list[Statement]:
    """With what no array shows behind the first of them: the condition that one hangs on, an index that it reads."""
    made = {id(one.statement) for one in flow.trace.executions}
    found: list[Statement] = []
    for one in suspects[:leading]:
        ran = (other for other in flow.trace.executions if other.statement is one)
        arrays = {by[0] for other in ran for by, _ in other.read if not isinstance(by, str)}
        names = {name for name, _ in one.chains} - arrays
        every = list({id(other): other for other in statements_of(one.file).values()}.values())
        binding = [
            other
            for other in every
            if other.function == one.function
            and other.line < one.line
            and id(other) not in made
            and not other.loops
            and any(name in names for name, _ in other.stored)
        ]
        tests = conditions(one)
        found += [other for other in every if other.line in tests][-1:]
        found += binding[-NUMBERLESS:]
    return [*suspects[:leading], *found, *suspects[leading:]]


def conditions(statement: Statement) -> set[int]:
    """The lines of the tests that hold where it runs."""
    where = site(statement.file, statement.line)
    tests = [node for node in where.around if isinstance(node, ast.If)] if where else []
    return {one.lineno for one in tests if one.body[0].lineno <= statement.line <= (one.body[-1].end_lineno or 0)}


def first_told(name: str, line: int, when: str, agree: Sequence[str], to: str = "") -> str:
    """What was seen of a line: that torch has not what it binds, and has what it read."""
    told = f"{name or 'what it gives'}, line {line}, is the first that torch has not{when}"
    return f"{told}; {', '.join(agree)} {'agree' if len(agree) > 1 else 'agrees'}{to}" if agree else told


def scaled(flow: Flow, value: int) -> list[int]:
    """What torch has another multiple of, where what goes on with it is no multiple of torch's.

    On the way to a loss a factor changes what is made of it. A gradient may be divided late, and all is well; but then
    all that are added are so many times torch's, and where one of them is torch's own the others are to be too.
    """
    reads = [read for read in flow.read_for(value) if read in flow.trace.makers and not flow.neutral(read)]
    matches = {read: found for read in reads if (found := flow.matches(read))}
    odd = [read for read, found in matches.items() if all(abs(one.factor - 1) > ONE for one in found)]
    if any(name == "loss" or name.startswith("output") for name in flow.wrong):
        return odd
    gradients = {read: [one for one in found if one.label[:1] == ("gradient",)] for read, found in matches.items()}
    straight = any(abs(one.factor - 1) <= ONE for found in gradients.values() for one in found)
    return [read for read in odd if gradients[read]] if straight else []


def carriers(flow: Flow, value: int) -> list[Execution]:
    """What ran between what made a value's parts and its own maker, and gave them another name or another place.

    The last to run first. None of it makes a number, and each may have put the right ones in the wrong place. What
    only moves about what was given, as parameters, is left out.
    """
    found: list[Execution] = []
    seen: set[int] = set()
    left = [(value, read) for read in flow.read_for(value)]
    while left:
        user, read = left.pop()
        if read in seen or flow.given(read):
            continue
        seen.add(read)
        maker, began = flow.trace.makers[read], flow.trace.makers[user].began
        found += [one for one in flow.trace.passed.get(read, ()) if maker.began < one.began < began]
        if maker.began < began and flow.neutral(read):
            found.append(maker)
            left += [(read, other) for other in maker.reads_of(read)]
    return sorted(found, key=lambda one: -one.began)


def doubtful_behind(flow: Flow, value: int) -> list[int]:
    """What stands between it and what torch has, the farthest first: a right result needed it, and may not show it."""
    found: list[int] = []
    left = list(flow.read_for(value))
    while left:
        read = left.pop()
        if read not in found and doubtful(flow, read):
            found.append(read)
            left += flow.read_for(read)
    return sorted(found, key=flow.place)


def doubtful(flow: Flow, value: int) -> bool:
    if not flow.trace.values[value].ndim or flow.torch_has(value) or flow.matches(value):
        return False
    return value in flow.trace.makers and value in flow.used and not flow.neutral(value)


def name_of(maker: Execution, value: int) -> str:
    return next((name for name, number in maker.writes.items() if number == value), "")


def known(flow: Flow, maker: Execution, value: int) -> Iterator[Known]:
    """What it read that torch has as well, by name."""
    for read in maker.reads_of(value):
        origin = flow.trace.makers.get(read)
        if origin is not None and flow.agrees(read) and (found := flow.matches(read)):
            yield Known(origin.statement, name_of(origin, read), found[0])
