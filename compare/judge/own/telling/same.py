"""What is said where nothing differs, or nothing can be decided."""

from dataclasses import replace

import numpy as np

from twofold.compare.judge.finding import Verdict as Mark
from twofold.compare.judge.gates import LIMIT
from twofold.compare.judge.own.contract import Breach, shown
from twofold.compare.judge.own.deciding.who import alone
from twofold.compare.judge.own.meeting.effect import without_effect
from twofold.compare.judge.own.record import Record
from twofold.compare.judge.own.telling.lines import (
    WIDTH,
    base,
    coarse_line,
    idle_line,
    layout_line,
    not_checked,
    pair_of,
    shortened,
)
from twofold.compare.judge.own.telling.verdict import Verdict


def told_same(record: Record) -> Verdict:
    """Everything agrees; nothing proven is no agreement."""
    bout = record.bout
    all_of = [(one, name, q) for one in record.compared for name, q in one.quantities.items()]
    proven = {name for _, name, q in all_of if q.verdict is Mark.PASS}
    empty = [name for name in dict.fromkeys(name for _, name, _ in all_of) if name not in proven]
    if not proven:
        cause = "no tensor rises above its floor" if all_of else "nothing was found that both sides give"
        return base(record, outcome="undecided", cause=f"{cause}: nothing is proven", lines=tuple(layout_line(record)))
    judged = [item for item in all_of if item[2].floor and item[2].verdict is not Mark.NOT_APPLICABLE]
    worst = max(judged, key=lambda item: item[2].ratio, default=None)
    gradients = sorted(name for name in proven if name.startswith("d "))
    told = [shown(bout, name) for name in proven if not name.startswith("d ")]
    told += [f"{len(gradients)} gradients"] if gradients else []
    batches = len({one.one.label for one in record.compared})
    line = f"{', '.join(sorted(told, key=len))}; {batches} draws, the first called 4 times"
    if worst:
        line += f"; worst {worst[2].ratio:.2g} floors of {LIMIT:g}, {shown(bout, worst[1])} in {worst[0].dtype}"
    lines = [*layout_line(record), ("compared", line)]
    if rules := sorted(set(bout.roles.rules.values())):
        lines.append(("found", f"{len(bout.roles.rules)} gradients by {', '.join(rules)}"))
    lines += [("proves", seen_line(record))]
    lines += coarse_line(record)
    if empty:
        lines.append(("vacuous", f"{', '.join(shown(bout, name) for name in empty)}: below 8 floors, proves nothing"))
    lines += idle_line(record)
    kinks = [q for one in record.compared for q in one.quantities.values() if q.verdict is Mark.NOT_APPLICABLE]
    if kinks:
        lines.append(("kinks", f"{len(kinks)} comparisons with your own parameters: {kinks[0].reason}"))
    if idle := without_effect(bout, record.compared[0].one):
        told_idle = f"{shortened(idle, 60)}: {len(idle)} of {len(bout.leaves)} change nothing that comes out"
        lines.append(("no effect", told_idle))
    if record.training is not None:
        lines += record.training
    unseen = not_checked(record)
    lines.append(("not seen", f"{len(unseen)} things: {shortened(unseen, WIDTH)}"))
    pair = f"{pair_of(record)} in {' and '.join(dict.fromkeys(one.dtype for one in record.compared))}"
    return replace(base(record, outcome="same", lines=tuple(lines)), pair=pair)


def seen_line(record: Record) -> str:
    """The smallest error of a gradient that would have been seen, as a part of its largest entry."""
    parts = []
    for dtype in dict.fromkeys(one.dtype for one in record.compared):
        seen = [
            LIMIT * q.floor / size
            for one in record.compared
            if one.dtype == dtype
            for name, q in one.quantities.items()
            if q.verdict is Mark.PASS and (size := float(np.abs(one.golden[name]).max(initial=0))) > 0
        ]
        if seen:
            parts.append(f"{dtype}: {max(seen):.1g}")
    return f"an error of {', '.join(parts)} of a tensor's largest entry would have been seen"


def told_unequal(record: Record) -> Verdict | None:
    """Everything agrees with a bias at zero that one side alone has: two conventions. None where both have the same."""
    pairing = record.bout.pairing
    lacking = list(pairing.extra)
    more = [name for name in pairing.unused if record.explicit or name in record.bout.roles.gradients]
    if not lacking and not more:
        return None
    weights = [name for name in lacking if np.squeeze(pairing.extra[name]).ndim > 1]
    if weights and not pairing.decided:  # with zeros for a weight much agrees that is not the same
        cause = f"no layout was found under which the two sides agree, and nothing is left for {', '.join(weights)}"
        return told_undecided(record, Breach(None, weights[0], cause, "", onward="layout= for what is not solved"))
    count = len(record.compared)
    if not lacking and (told := alone(record.bout, record.compared[0].one, more)) is not None:
        cause = (
            f"torch has nothing for {', '.join(more)}; with zeros there all {count} runs agree, as they are it differs"
        )
        tensor, seen = shown(record.bout, told.tensor), (("who", told.reason), ("cause", cause))
        return base(record, outcome="different", side="scratch", tensor=tensor, cause=cause, lines=seen)
    if lacking:
        name = lacking[0]
        text = f"torch has {', '.join(lacking)} and scratch has nothing for it; with zeros there all {count} runs agree"
        onward = f"{name}: bias=False in the reference's layer" if "bias" in name else f"{name}: a reference without it"
    else:
        name = more[0]
        text = f"scratch has {', '.join(more)} and torch has nothing for it; with zeros there all {count} runs agree"
        onward = f"{name}: bias=True in the reference's layer"
    lines = (
        ("who", f"no slope speaks: {len(record.compared)} draws agree without it"),
        ("cause", text),
        ("to go on", onward),
    )
    return base(record, outcome="different", side="conventions", tensor=name, cause=text, lines=lines)


def told_undecided(record: Record, breach: Breach) -> Verdict:
    lines = [("seen", breach.seen)] if breach.seen else []
    onward = breach.onward or "pass modes= and judge in evaluation mode, or take what is random out of the call"
    lines.append(("to go on", onward))
    return base(record, outcome="undecided", tensor=breach.tensor, cause=breach.cause, lines=tuple(lines))
