"""The sensitivity that is claimed, confirmed: errors planted at random entries of every parameter gradient are seen."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pytest

from twofold.compare.judge import battery
from twofold.compare.judge.evidence.floor import rows_of
from twofold.compare.judge.evidence.reading import Reading
from twofold.compare.judge.evidence.sensitivity import Sensitivity, doubted, limits, sensitivities
from twofold.compare.judge.evidence.trial import MORE_RERUNS, RERUNS, Trial
from twofold.compare.judge.finding import failures
from twofold.compare.pairs import MAIN, PAIRS
from twofold.compare.threads import one_thread
from twofold.scratch.module import Array

# What is always seen, of the tensor's largest entry, in every pair at check size; of the row's in float64.
GOALS = {"float64": 1e-12, "float32": 1e-4}
ROW_GOAL = 1e-10
TRIES = 3


@dataclass(frozen=True)
class Error:
    """An error of this size at one entry of a tensor."""

    row: int
    entry: int
    size: float


@dataclass(frozen=True)
class Planted:
    """A trial judged by all its re-runs, and what is claimed of each parameter's gradient."""

    trial: Trial
    claims: Mapping[str, Sensitivity]
    limits: Mapping[str, Array]

    def golden(self, name: str) -> Array:
        """Rows of the reference's gradient."""
        return rows_of(self.trial.golden["gradient"][name]).astype(np.float64)

    def actual(self, name: str) -> Array:
        return rows_of(self.trial.actual["gradient"][name]).astype(np.float64)

    def reading(self, errors: Mapping[str, Error]) -> Reading:
        """Scratch's run with these errors added to its gradients."""
        gradients = dict(self.trial.actual["gradient"])
        for name, error in errors.items():
            changed = gradients[name].copy()
            rows_of(changed)[error.row, error.entry] += changed.dtype.type(error.size)
            assert (changed != gradients[name]).sum() == 1
            gradients[name] = changed
        return {**self.trial.actual, "gradient": gradients}

    def seen(self, errors: Mapping[str, Error]) -> set[str]:
        """The gradients that fail with these errors."""
        return failures(self.trial.judged("gradient", self.reading(errors))) - self.trial.waived

    def random(self, seed: int, size: Callable[[str, int], float], rows: Callable[[str], Array]) -> dict[str, Error]:
        """An error of either sign at a random entry of each gradient, in one of the rows given."""
        rng, errors = np.random.default_rng(seed), {}
        for name in self.claims:
            row = int(rng.choice(rows(name)))
            entry = int(rng.integers(self.golden(name).shape[1]))
            errors[name] = Error(row, entry, float(rng.choice([-1, 1])) * size(name, row))
        return errors

    def every_row(self, name: str) -> Array:
        return np.arange(len(self.golden(name)))

    def proven_rows(self, name: str) -> Array:
        """Those with an entry that is not zero."""
        return np.flatnonzero(self.golden(name).any(axis=1))


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((name, dtype), id=f"{name}-{dtype}", marks=pytest.mark.xdist_group(f"{name} {dtype}"))
        for name in MAIN
        for dtype in battery.DTYPES
    ],
)
def planted(request: pytest.FixtureRequest) -> Iterator[Planted]:
    name, dtype = request.param
    with one_thread():
        trial = Trial(PAIRS[name].case(), dtype)
        trial.measured = doubted(trial)
        claims = {claim.tensor: claim for claim in sensitivities(trial)}
        yield Planted(trial, claims, {name: limits(trial, trial.measured, name) for name in claims})


def test_something_is_claimed_of_every_gradient(planted: Planted) -> None:
    parameters = planted.trial.golden["gradient"].keys() & planted.trial.state.keys()
    assert planted.claims.keys() == parameters - planted.trial.waived
    assert planted.seen({}) == set()


def test_an_error_as_small_as_claimed_is_seen(planted: Planted) -> None:
    """In all gradients at once, each at a random entry, of the tensor's size and of the row's."""
    claims, everything = planted.claims, set(planted.claims)

    def in_tensor(name: str, row: int) -> float:
        return claims[name].smallest_detected * float(np.abs(planted.golden(name)).max())

    def in_row(name: str, row: int) -> float:
        return claims[name].smallest_detected_in_row * float(np.abs(planted.golden(name)[row]).max())

    for seed in range(TRIES):
        assert planted.seen(planted.random(seed, in_tensor, planted.every_row)) == everything
        assert planted.seen(planted.random(seed, in_row, planted.proven_rows)) == everything


def test_an_error_against_the_rounding_is_seen_and_no_other(planted: Planted) -> None:
    """One gradient at a time, in the row that forgives most, at the entry where scratch's rounding takes most away."""
    for name, seen in planted.limits.items():
        row = int(seen.argmax())
        rounding = planted.actual(name)[row] - planted.golden(name)[row]
        entry = int(np.abs(rounding).argmax())
        against = Error(row, entry, -float(seen[row]) if rounding[entry] > 0 else float(seen[row]))
        assert planted.seen({name: against}) == {name}


def test_the_goals_are_met(planted: Planted) -> None:
    dtype, everything = planted.trial.dtype, set(planted.claims)

    def in_tensor(name: str, row: int) -> float:
        return GOALS[dtype] * float(np.abs(planted.golden(name)).max())

    def in_row(name: str, row: int) -> float:
        return ROW_GOAL * float(np.abs(planted.golden(name)[row]).max())

    assert max(claim.smallest_detected for claim in planted.claims.values()) <= GOALS[dtype]
    for seed in range(TRIES):
        assert planted.seen(planted.random(seed, in_tensor, planted.every_row)) == everything
    if dtype == "float64":
        assert max(claim.smallest_detected_in_row for claim in planted.claims.values()) <= ROW_GOAL
        for seed in range(TRIES):
            assert planted.seen(planted.random(seed, in_row, planted.proven_rows)) == everything


def test_a_tenth_of_the_limit_is_not_seen(planted: Planted) -> None:
    """What these tests assert can fail, and more is not claimed than there is."""
    for seed in range(TRIES):
        tenth = planted.random(seed, lambda name, row: float(planted.limits[name][row]) / 10, planted.proven_rows)
        assert planted.seen(tenth) == set()


@pytest.mark.parametrize("name", ["mnist-cnn", "activity-lstm", "fc-net-dropout"])
def test_an_error_that_makes_the_judge_doubt_the_floor_is_seen(name: str) -> None:
    """What it lets the judge measure again may raise the floor; in every row of every gradient that is foreseen."""
    with one_thread():
        trial = Trial(PAIRS[name].case(), "float64")
        claims = {claim.tensor: claim for claim in sensitivities(trial)}
        measured = doubted(trial)
        planted = Planted(trial, claims, {tensor: limits(trial, measured, tensor) for tensor in claims})
        everywhere = planted.reading({tensor: Error(0, 0, float(planted.limits[tensor][0])) for tensor in claims})
        trial.measured = trial.measure(everywhere)
    assert trial.measured.reruns == RERUNS + MORE_RERUNS
    for n in range(max(map(len, planted.limits.values()))):
        rows = {tensor: n % len(seen) for tensor, seen in planted.limits.items()}
        errors = {tensor: Error(row, 0, float(planted.limits[tensor][row])) for tensor, row in rows.items()}
        assert planted.seen(errors) == claims.keys()
