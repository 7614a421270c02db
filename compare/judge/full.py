"""The battery at recipe size: real shapes, more than a hundred words, twenty steps of time, 256 units."""

from twofold.compare.data.splits import Split
from twofold.compare.judge.checks.table import CHECKS_BY_NAME, Check
from twofold.compare.judge.evidence.trial import Trial, at_recipe_size
from twofold.compare.pair import Pair

MOST_RECORDS = 64  # of a batch; no full-batch recipe needs its 15,000 to be judged
# Those of single passes: not exact and numerical, whose numbers must stay small, nor the many steps of optimizer,
# resync and curve.
CHECKS: tuple[Check, ...] = tuple(
    CHECKS_BY_NAME[name]
    for name in ("forward", "loss", "gradient", "grad_output", "chunks", "strides", "twice", "modes")
)


def full_trial(pair: Pair, records: Split, dtype: str, device: str, seed: int) -> Trial:
    """The recipe's model on the first records of the data, a batch of them."""
    count = min(pair.recipe.batch, MOST_RECORDS, len(records))
    inputs, target = records.inputs[:count], records.targets[:count]
    return at_recipe_size(pair, inputs, dtype, device, seed, target)
