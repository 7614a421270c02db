"""A difference read under another layout: where under the first no edit mends it, and under the other one edit does.

A square matrix that a forward pass takes transposed is, with its layout turned, one that the backward pass takes so;
and up to the place where two sides part layouts may be alike.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice

import numpy as np

from twofold.compare.judge.own.call import Call
from twofold.compare.judge.own.deciding.watching import apart, as_kept
from twofold.compare.judge.own.record import Compared, Record
from twofold.compare.judge.own.telling.verdict import Verdict
from twofold.compare.sides.foreign.layout import Entry
from twofold.compare.watch.matching import WITHIN

MOST = 1  # other layout: it is judged whole
FEW = 3  # layouts that are alike up to where two sides part: of more the one that is tried is hardly the right one


def read_again(record: Record, failing: Compared, told: Verdict, judged: Callable[[Call], Verdict]) -> Verdict:
    """What is told, or what is told under another layout, if that ends with an edit and this does not."""
    call = record.call
    if not call.watch or call.kernel or told.side not in ("scratch", "open") or "edit" in dict(told.lines):
        return told
    shown = record.bout.pairing.layout.shown()
    for layout in islice(others(record, failing), MOST):
        again = replace(call, layout=layout)
        try:
            other = judged(replace(again, dtypes=call.dtypes[:1]))
            if ends_with_edit(other) and call.dtypes[1:]:
                other = judged(again)
        except Exception:  # such as a layout with which nothing runs
            continue
        if ends_with_edit(other):
            read = ", ".join(f"{key} = {text}" for key, text in layout.items() if shown.get(key) != text)
            kept = (one for one in other.lines if one[0] != "layout")
            how = "layout", f"{read}: so one edit mends all, otherwise none of those tried"
            return replace(other, lines=(*kept, how))
    return told


def ends_with_edit(verdict: Verdict) -> bool:
    return verdict.side == "scratch" and "edit" in dict(verdict.lines)


def others(record: Record, failing: Compared) -> Iterator[dict[str, str]]:
    """Other layouts that explain as much of the forward pass, or may be meant; what the user gave stays."""
    given, pairing = set(record.call.layout or ()), record.bout.pairing
    shown = pairing.layout.shown()
    for guess in pairing.guesses if len(pairing.guesses) <= FEW else ():
        other = guess.shown()
        if other != shown and all(other.get(key) == shown[key] for key in given & shown.keys()):
            yield other
    if all(name.startswith("d ") for name in failing.failed):
        for entry in turned(record, failing):
            if entry.key not in given:
                text = entry.text.removesuffix(".T")
                rest = {} if pairing.extra else shown  # what was found without all of torch's is found anew
                yield {**rest, entry.key: text if text != entry.text else f"{text}.T"}


def turned(record: Record, failing: Compared) -> Iterator[Entry]:
    """The square matrices of which scratch's gradient is torch's transposed."""
    bout = record.bout
    layout = bout.pairing.layout
    for leaf in bout.leaves:
        if (name := f"d {leaf.name}") not in failing.failed or apart(failing, name) is None:
            continue
        actual, golden = (as_kept(bout, leaf, one[name]) for one in (failing.actual, failing.golden))
        start, stop = layout.span(leaf)
        for entry in layout.users(leaf):
            shape, places = entry.index.shape, entry.index - start
            if len(shape) == 2 and shape[0] == shape[1] > 1 and places.min() >= 0 and places.max() < stop - start:
                size = np.abs(golden[places]).max()
                if (np.abs(actual[places].T - golden[places]) <= WITHIN["float32"] * size).all():
                    yield entry
