"""What is wrong with an optimizer: torch's update formulae with one thing changed at a time, held beside scratch's.

A variation is told that gives what scratch gave in every round, parameters and state, where the formula itself does
not.
"""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from twofold.compare.judge.checks.optimizers import given_to, scratch, steps, twins_of
from twofold.compare.judge.diagnosis.formulae import COMMON, RULES, VARIATIONS, Round, Rule, followed, near, varied
from twofold.compare.judge.evidence.training import clip_of
from twofold.compare.judge.evidence.trial import Trial


@lru_cache(maxsize=1)
def variations(trial: Trial) -> tuple[str, ...]:
    """The variations that explain every round; none where torch's formula does, or where two disagree about none."""
    own = trial.case.optimizer
    kind = own.scratch.rpartition(":")[2] if own else ""
    if kind not in RULES:
        return ()
    found = list(rounds(trial))
    if all(explains(trial, RULES[kind], one) for one in found):
        return ()
    known = {**COMMON, **VARIATIONS[kind]}
    return tuple(told for told, change in known.items() if all(explains(trial, varied(kind, change), o) for o in found))


def rounds(trial: Trial) -> Iterator[Round]:
    """As the check takes them: each twin from the start and midway."""
    for twin in twins_of(trial):
        for _, given in given_to(trial, twin):
            side = scratch(trial, twin)
            arguments = {
                key: value for key, value in vars(side.optimizer).items() if key not in ("parameters", "state")
            }
            yield Round(arguments, *given, steps(side, *given))


def explains(trial: Trial, rule: Rule, one: Round) -> bool:
    """Whether a rule gives what scratch's steps left behind, to the least floor that there is."""
    with np.errstate(all="ignore"):
        for ours, theirs in zip(one.left, followed(rule, one, clip_of(trial)), strict=True):
            if not all(near(ours[name], theirs[name], trial.dtype) for name in theirs):
                return False
    return True
