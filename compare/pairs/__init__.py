"""The table of pairs, one file a system; a system's variants are entries of their own."""

from twofold.compare.pair import Pair
from twofold.compare.pairs import activity, autoencoder, catcar, convnets, fc, mnist, notmnist, trigram, waves

SYSTEMS = (mnist, waves, autoencoder, catcar, trigram, fc, convnets, activity, notmnist)
PAIRS: dict[str, Pair] = {pair.name: pair for system in SYSTEMS for pair in system.PAIRS}

# The systems themselves, of which the other entries are variants: what a report shows unless pairs are named.
MAIN = (
    "mnist-cnn",
    "sine-rnn",
    "sparse-autoencoder",
    "catcar-mlp",
    "trigram-lm",
    "fc-net",
    "three-layer-convnet",
    "two-layer-fc",
    "two-conv-net",
    "bn-convnet",
    "activity-rnn",
    "activity-lstm",
    "activity-gru",
    "notmnist-mlp",
)
