"""`python -m tests.own.table [WORDS]`: every case of the table of truth, what is said of it, and how long it took."""

import sys

import torch  # noqa: F401  its import is no part of a verdict's seconds

from tests.own.truth import TRUTH
from twofold import judge


def main(words: list[str]) -> None:
    print(f"{'case':<38}{'truth':<12}{'outcome':<11}{'side':<13}{'tensor':<27}seconds")
    wrong = {"outcome": 0, "side": 0, "tensor": 0}
    slowest, count, different = 0.0, 0, 0
    for truth in TRUTH:
        if words and not any(word in truth.name for word in words):
            continue
        call = truth.make()
        verdict = judge(*call.arguments, **call.keywords)
        side, tensor = verdict.side or "", str(verdict.tensor or "")
        told = f"{verdict.outcome:<11}{side:<13}{tensor:<26} {verdict.seconds:.2f}"
        print(f"{truth.name:<38}{truth.side or '-':<12}{told}")
        wrong["outcome"] += verdict.outcome != truth.outcome
        wrong["side"] += verdict.outcome == truth.outcome and verdict.side != truth.side
        wrong["tensor"] += bool(truth.tensors) and not any(name in tensor for name in truth.tensors)
        slowest, count = max(slowest, verdict.seconds), count + 1
        different += truth.outcome == "different"
    told = ", ".join(f"{number} with a wrong {what}" for what, number in wrong.items())
    print(f"{count} cases, {count - different} right and {different} wrong forms: {told}; slowest {slowest:.1f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
