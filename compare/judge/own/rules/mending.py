"""Which small edit of a suspected line makes a rule move the weights as torch's optimizer does."""

from collections.abc import Sequence

from twofold.compare.judge.finding import Verdict as Mark
from twofold.compare.judge.own.rules.calling.shapes import Form
from twofold.compare.judge.own.rules.judging import DTYPES, verdict_on
from twofold.compare.judge.own.rules.runs import STEPS, drawn, held, run
from twofold.compare.judge.own.rules.torchs import Facts, replay
from twofold.compare.watch.edits.searching import RUNS, SECONDS, Mended, search

FEW = 3  # steps that must be roughly right before all are judged
ROUGHLY = 1e6  # floors


def mended_rule(
    form: Form,
    facts: Facts,
    lines: Sequence[tuple[str, int]],
    dtypes: Sequence[str] = DTYPES,
    seed: int = 0,
    seconds: float = SECONDS,
    runs: int = RUNS,
) -> Mended | None:
    """The first edit of these lines (file, line), the likeliest first, under which the verdict is "same"."""
    weights, gradients = drawn(facts.make, form.shapes, "float64", seed)

    def agrees() -> int | None:
        tape = run(form, weights, gradients[:FEW], "float64", locked=True)
        if tape.error is not None or tape.copied:
            return None
        for left, golden in zip(tape.left, replay(facts.make, tape.before, tape.gradients), strict=True):
            if any(not quantity.ratio <= ROUGHLY for quantity in held(left, golden, {}, "float64", form)):
                return None
        verdict = verdict_on(form, facts, dtypes, seed)
        if verdict.outcome != "same" or any(quantity.verdict is not Mark.PASS for quantity in verdict.quantities):
            return None
        return len(dtypes) * STEPS * len(form.shapes)

    return search(lines, agrees, numbers_of(facts), runs, seconds)


def numbers_of(facts: Facts) -> tuple[float, ...]:
    """The numbers among torch's options: a rate, a momentum, an eps."""
    values = [part for value in facts.options.values() for part in (value if isinstance(value, tuple) else (value,))]
    return tuple(float(value) for value in values if type(value) is float)
