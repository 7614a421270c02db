"""The table of pairs, one file a system."""

from compare.pair import Pair
from compare.pairs import activity, catcar, mnist, trigram

PAIRS: dict[str, Pair] = {pair.name: pair for pair in (mnist.CNN, catcar.MLP, trigram.LM, activity.LSTM)}
