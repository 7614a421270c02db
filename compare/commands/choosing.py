"""Which pairs a command is about."""

from collections.abc import Iterable, Sequence

from twofold.compare.errors import BadInput
from twofold.compare.names import meant
from twofold.compare.pair import Pair, SideName
from twofold.compare.pairs import FILES, MAIN, PAIRS
from twofold.compare.tables import BOTH, must_be_sound


def chosen(names: Sequence[str] | None, default: Iterable[str] = PAIRS, sides: Sequence[SideName] = BOTH) -> list[Pair]:
    """The named pairs, `default` for none. Raises BadInput naming the nearest that exist, or what is wrong with one."""
    for name in names or ():
        if name not in PAIRS:
            those = meant(name, PAIRS) or f"; there are {', '.join(MAIN)},"
            raise BadInput(f"unknown pair {name!r}{those} `twofold list` names all {len(PAIRS)}")
    pairs = [PAIRS[name] for name in names or default]
    for pair in pairs:
        must_be_sound(pair, FILES[pair.name], sides)
    return pairs


def systems(names: Sequence[str] | None) -> list[Pair]:
    """The named pairs; for none the systems without their variants."""
    return chosen(names, MAIN)


def trainable(name: str, backend: SideName) -> Pair:
    """A pair of which one side is trained, which starts from the weights that scratch's initialisers draw."""
    (pair,) = chosen([name], sides=("scratch",) if backend == "scratch" else BOTH)
    return pair
