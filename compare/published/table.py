"""All published runs, and what became of each."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from twofold.compare.data.readers.files import first
from twofold.compare.data.readers.files import missing as found_instead
from twofold.compare.data.registry import PATHS
from twofold.compare.errors import BadInput
from twofold.compare.names import meant
from twofold.compare.processes import spread
from twofold.compare.published import (
    catcar_mlp,
    fc_net,
    known_norms,
    known_values,
    mnist_cnn,
    sine_rnn,
    three_layer_convnet,
    unavailable,
)
from twofold.compare.published.figure import Figure, Run
from twofold.compare.published.judge import judged
from twofold.compare.published.judge import unavailable as not_computed

SYSTEMS = (mnist_cnn, sine_rnn, catcar_mlp, fc_net, three_layer_convnet, known_values, known_norms, unavailable)


def runs() -> list[Run]:
    """By pair, in the order in which the pairs first appear."""
    found = [run for system in SYSTEMS for run in system.runs()]
    order = list(dict.fromkeys(run.pair for run in found))
    return sorted(found, key=lambda run: order.index(run.pair))


def chosen(names: Sequence[str]) -> list[int]:
    """The places of the named pairs' runs, of all for none; raises BadInput naming the pairs with figures."""
    table = runs()
    pairs = list(dict.fromkeys(run.pair for run in table))
    for name in names:
        if name not in pairs:
            known = f"there are some of {', '.join(pairs)}{meant(name, pairs)}"
            raise BadInput(f"no published figures of {name!r}; {known}")
    return [place for place, run in enumerate(table) if not names or run.pair in names]


def reproduced(places: Sequence[int], directory: Path | None, workers: int) -> Iterator[tuple[int, list[Figure]]]:
    """Each run's figures as they come, by the run's place in the table; long runs are begun first."""
    table = runs()
    ready = []
    for place in places:
        if reason := missing(table[place], directory):
            yield place, not_computed(table[place], reason)
        else:
            ready.append(place)
    if workers == 1 or len(ready) < 2:
        yield from ((place, figures(place, directory)) for place in ready)
        return
    ready.sort(key=lambda place: -cost(table[place]))
    for n, found in spread(figures, [(place, directory) for place in ready], min(workers, len(ready))):
        yield ready[n], found


def missing(run: Run, directory: Path | None) -> str:
    """Why a run cannot be computed from `directory`; empty if it can."""
    lacking = [files for files in run.files if directory is None or first(directory, files) is None]
    if lacking:
        names = [" or ".join(files) for files in lacking]
        found = [] if directory is None else [found_instead(directory, files, PATHS) for files in lacking]
        where = f"{', '.join(dict.fromkeys(found))} in {directory}" if found else "no --data DIR given"
        return f"needs {', '.join(names)}: {where}" + (f"; also, {run.unavailable}" if run.unavailable else "")
    return run.unavailable


def figures(place: int, directory: Path | None) -> list[Figure]:
    """One run, computed on one thread: how many there are decides the order of summation."""
    from twofold.compare.threads import one_thread

    run = runs()[place]
    with one_thread():
        return judged(run, run.compute(directory or Path()))


def cost(run: Run) -> int:
    """A rough order of length: what needs files is slower, and most of all these."""
    slowest = ("300 epochs", "overfit_100", "dropout_keep_0.25", "dropout_keep_1")
    return len(slowest) - slowest.index(run.name) if run.name in slowest else -1
