"""What can notice a change: the checks of the battery on every case, and the tests of scratch by itself.

The reference's runs are made once a case and shared; each change runs scratch alone.
"""

import signal
import sys
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from inspect import signature
from itertools import product
from types import ModuleType
from typing import Any

import pytest

from tests.judge.test_battery import CASES
from tests.scratch import (
    test_argument_order,
    test_arguments,
    test_blocks,
    test_calls,
    test_contracts,
    test_fast_forms,
    test_guards,
    test_initial_weights,
    test_layers,
    test_models,
    test_modules,
    test_optim,
    test_optimizer_contracts,
)
from twofold.compare import nest
from twofold.compare.faults.matrix import faulty
from twofold.compare.judge.checks.optimizers import twins_of
from twofold.compare.judge.checks.table import CHECKS_BY_NAME
from twofold.compare.judge.checks.waivers import waived
from twofold.compare.judge.evidence.trial import Trial
from twofold.compare.judge.finding import Finding, Verdict, gravest
from twofold.compare.pair import Case
from twofold.compare.sides import Scratch

from .plant import HOME, Change
from .sites import Site

HOMES = (test_modules, test_layers, test_optim, test_initial_weights, test_models, test_fast_forms, test_blocks)
HOMES += (test_argument_order, test_arguments, test_calls, test_contracts, test_guards, test_optimizer_contracts)
Lines = dict[str, Counter[int]]  # how often each runs, by file
CHEAP = ("forward", "loss", "gradient", "grad_output")
OTHERS = ("names", "load", "twice", "strides", "chunks", "exact", "memory", "numerical", "modes")
TRAINED = ("optimizer", "resync")
# The cheap ones run on every case that reaches a site, the others on so many, those with the least work first.
MOST, MOST_TRAINED = 12, 2
SECONDS = 20  # of computing in which any killer has ended but one that goes round for ever


class TimeUp(BaseException):
    """No Exception, so that nothing on the way takes it for a fault of its own."""


@contextmanager
def limited() -> Iterator[None]:
    """Warnings are errors, as in the tests; raises TimeUp after SECONDS of computing."""

    def stop(*_: object) -> None:
        raise TimeUp

    signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


@contextmanager
def traced(lines: Lines) -> Iterator[None]:
    """Collects the lines of scratch that run, and those of `inspect.signature`."""
    home = str(HOME)

    def local(frame: Any, event: str, argument: object) -> Any:
        lines[frame.f_code.co_filename][frame.f_lineno] += 1
        return local

    def called(frame: Any, event: str, argument: object) -> Any:
        seen = frame.f_code.co_filename.startswith(home) or frame.f_code is signature.__code__
        return local(frame, event, argument) if seen else None

    sys.settrace(called)
    try:
        yield
    finally:
        sys.settrace(None)


class Killer:
    """Something that passes, and the lines that it runs."""

    def __init__(self, name: str, run: Callable[[], object]) -> None:
        self.name = name
        self.lines: Lines = defaultdict(Counter)
        with traced(self.lines):
            run()

    @property
    def work(self) -> int:
        """The same on every machine, unlike seconds."""
        return sum(lines.total() for lines in self.lines.values())

    def reaches(self, site: Site) -> bool:
        first, last = site.lines
        if site.default and signature.__code__.co_filename in self.lines:
            return True
        return any(first <= line <= last for line in self.lines.get(str(HOME / site.file), ()))


class Bench(Killer):
    """One case with the reference's runs, whose arrays nothing can write to."""

    def __init__(self, case: Case, dtype: str) -> None:
        self.trial = Trial(case, dtype)
        trial = self.trial
        for array in nest.flatten((*trial.state.values(), *trial.inputs, trial.target, trial.cotangents)):
            if array is not None:
                array.setflags(write=False)
        super().__init__(f"{case.name} {dtype}", self.probe)
        assert trial.measured

    def probe(self) -> None:
        trial, side = self.trial, self.trial.scratch()
        trial.observe(side)
        trial.observe(side, training=False)
        if trial.case.optimizer and trial.case.loss:
            side.train()
            for _ in range(2):
                side.train_step(*trial.inputs, trial.target)
            side.load_optimizer_state(side.optimizer_state())
            for twin in twins_of(trial):
                alone = Scratch(trial.case.model, None, twin, trial.dtype)
                for _ in range(2):
                    alone.step()

    def kills(self, names: tuple[str, ...]) -> str:
        """The first of these checks that does not pass, or "" if all do."""
        trial = faulty(self.trial)
        for check in (CHECKS_BY_NAME[name] for name in names):
            if check.lacking(self.trial):
                continue
            try:
                with limited():
                    quantities = tuple(check.run(trial))
            except (Exception, TimeUp) as error:
                return f"{check.name} of {self.name}: {type(error).__name__}"
            found = waived(Finding(check.name, gravest(q.verdict for q in quantities), quantities), trial.case.waivers)
            if found.verdict is not Verdict.PASS:
                return f"{check.name} of {self.name}"
        return ""


class Test(Killer):
    """One test with its arguments."""

    __test__ = False

    def __init__(self, name: str, call: Callable[[], object]) -> None:
        self.call = call
        super().__init__(name, call)

    def kills(self) -> str:
        try:
            with limited():
                self.call()
        except (Exception, TimeUp, pytest.fail.Exception) as error:
            return f"{self.name}: {type(error).__name__}"
        return ""


def calls(module: ModuleType) -> Iterator[tuple[str, Callable[[], object]]]:
    """Every test of a module with every set of its parameters, but those with fixtures, which plant faults."""
    for name, test in vars(module).items():
        if not name.startswith("test_"):
            continue
        marks = [mark.args for mark in getattr(test, "pytestmark", []) if mark.name == "parametrize"]
        for n, choice in enumerate(product(*(arguments(*mark) for mark in marks))):
            given = {key: value for part in choice for key, value in part.items()}
            if given.keys() >= signature(test).parameters.keys() or hasattr(test, "hypothesis"):
                yield f"{name} {n}" if given else name, partial(test, **given)


def arguments(names: Any, values: Any) -> list[dict[str, Any]]:
    """Rows as they stand, or as `pytest.param` has them."""
    alone = isinstance(names, str)
    plain = ((value,) if alone else value for value in values)
    rows = (v.values if isinstance(v, type(pytest.param())) else row for v, row in zip(values, plain, strict=True))
    return [dict(zip([names] if alone else names, row, strict=True)) for row in rows]


@cache
def bench(case: str, dtype: str) -> Bench:
    return Bench(CASES[case], dtype)


@cache
def benches() -> tuple[Bench, ...]:
    """In float64, those with the least work first."""
    return tuple(sorted((bench(case, "float64") for case in CASES), key=lambda bench: bench.work))


@cache
def tests() -> tuple[Test, ...]:
    found = (Test(*call) for home in HOMES for call in calls(home))
    return tuple(sorted(found, key=lambda test: test.work))


def killers(site: Site) -> Iterator[Callable[[], str]]:
    """All that can notice a change at this site, cheap ones first."""
    cases = [bench for bench in benches() if bench.reaches(site)]
    for found in cases:
        yield partial(found.kills, CHEAP)
    for test in tests():
        if test.reaches(site):
            yield test.kills
    for found in cases[:MOST]:
        yield partial(found.kills, OTHERS)
    trained = [found for found in cases if not CHECKS_BY_NAME["resync"].lacking(found.trial)]
    for found in trained[:MOST_TRAINED]:
        yield partial(found.kills, TRAINED)
    for found in cases[:MOST]:
        yield partial(bench(found.trial.case.name, "float32").kills, CHEAP)


def killed(site: Site, change: Change) -> tuple[str, Callable[[], str] | None]:
    """What noticed the change, and how to ask it again; "" and None if nothing did."""
    for killer in killers(site):
        with change.planted():
            name = killer()
        if name:
            return name, killer
    return "", None
