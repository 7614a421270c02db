"""Named deviations, tried on the reference: what makes both sides agree is told, with what to pass to go on."""

from dataclasses import dataclass

from twofold.compare.judge.own.bout import Bout, Draw, Tensors


@dataclass(frozen=True)
class Convention:
    text: str
    onward: str = ""


def convention(bout: Bout, one: Draw, ours: Tensors, theirs: Tensors) -> Convention | None:
    return None
