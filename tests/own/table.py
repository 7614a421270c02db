"""`python -m tests.own.table [WORDS]`: every case of the tables of truth, what is said of it, and how long it took."""

import sys
from collections import Counter

import torch  # noqa: F401  its import is no part of a verdict's seconds

from tests.own.case import IN_TORCH, PLACES
from tests.own.judged import runs
from tests.own.truth import LAYOUTS, TRUTH, Truth
from twofold import BadCall, judge


def main(words: list[str]) -> None:
    print(f"  {'case':<36}{'truth':<12}{'outcome':<11}{'side':<13}{'tensor':<27}seconds  runs  place")
    wrong = {"outcome": 0, "side": 0, "tensor": 0}
    slowest, count, different = 0.0, 0, 0
    places: dict[str, Counter[str]] = {}
    for truth in (*TRUTH, *LAYOUTS):
        if words and not any(word in truth.name for word in words):
            continue
        call = truth.make()
        count, different = count + 1, different + (truth.outcome == "different")
        try:
            verdict = judge(*call.arguments, **call.keywords)
        except BadCall as error:
            wrong["outcome"] += 1
            print(f"! {truth.name:<36}{truth.side or '-':<12}BadCall: {error}")
            if truth.has_line or truth.is_by_hand:
                places.setdefault(kind_of(truth), Counter())[PLACES[-1]] += 1
            continue
        side, tensor = verdict.side or "", str(verdict.tensor or "")
        told = f"{verdict.outcome:<11}{side:<13}{tensor:<26} {verdict.seconds:<7.2f}{runs(verdict):>6}"
        if truth.has_line or truth.is_by_hand:
            placed = truth.placed(call, verdict.place)
            told += f"  {placed}" + (f" {verdict.place.line}" if verdict.place.line else "")
            places.setdefault(kind_of(truth), Counter())[placed] += 1
        mark = " " if (verdict.outcome, verdict.side) == (truth.outcome, truth.side) else "!"
        print(f"{mark} {truth.name:<36}{truth.side or '-':<12}{told}")
        wrong["outcome"] += verdict.outcome != truth.outcome
        wrong["side"] += verdict.outcome == truth.outcome and verdict.side != truth.side
        wrong["tensor"] += bool(truth.tensors) and not any(name in tensor for name in truth.tensors)
        slowest = max(slowest, verdict.seconds)
    told = ", ".join(f"{number} with a wrong {what}" for what, number in wrong.items())
    print(f"{count} cases, {count - different} right and {different} wrong forms: {told}; slowest {slowest:.1f} s")
    print_places(places)


def kind_of(truth: Truth) -> str:
    if truth.side != "scratch":
        return f"({truth.side})"
    return "(torch)" if truth.file in IN_TORCH else truth.kind_of


def print_places(places: dict[str, Counter[str]]) -> None:
    """Where the mistakes in scratch's code were placed, kind by kind, in brackets those that do not count.

    These are in torch code of scratch's, or, where no one is wrong or it is open who is, in whatever differs by hand.
    """
    whole = sum((places[kind] for kind in places if kind[0] != "("), Counter())
    print(f"\n{'mistake':<14}" + "".join(f"{place:>14}" for place in PLACES) + f"{'faulty line':>16}")
    for kind, counted in [*sorted(places.items()), ("in NumPy", whole)]:
        share = f"{100 * counted[PLACES[0]] / max(1, counted.total()):.0f} %"
        print(f"{kind:<14}" + "".join(f"{counted[place]:>14}" for place in PLACES) + f"{share:>16}")


if __name__ == "__main__":
    main(sys.argv[1:])
