"""Training step by step: the worst of the re-synchronised steps, and of five more as training takes them."""

from collections.abc import Iterator
from dataclasses import replace

from twofold.compare.judge.evidence.resync import Judged, resynchronised_steps, trained_steps
from twofold.compare.judge.evidence.trial import Trial
from twofold.compare.judge.finding import Quantity, worst_by_name


def resynchronised(trial: Trial) -> list[Quantity]:
    """Loss, gradients, parameters, buffers and optimizer state; of every tensor the worst of all steps."""

    def all_of(judged: Judged) -> list[Quantity]:
        gradients = [replace(q, name=f"{q.name} gradient") for q in judged["gradient"]]
        return [*judged["loss"], *judged.get("forward", ()), *gradients, *judged["update"]]

    def rounds() -> Iterator[tuple[str, list[Quantity]]]:
        yield from ((f"step {step.number}", all_of(step.judged)) for step in resynchronised_steps(trial))
        yield from ((f"step {step.number} by train_step", all_of(step.judged)) for step in trained_steps(trial))

    return worst_by_name(rounds())
