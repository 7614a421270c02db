"""Conventions: what differs between two right nets, and what to pass to go on.

A factor, a penalty, a constant and a clip are read off the numbers; what may be otherwise in a module of the reference
is tried on it (deviations.py). Each is told only where every tensor that is compared then agrees.
"""

from functools import partial
from typing import Any
from unittest.mock import patch

import numpy as np

from twofold.compare.judge.own.deciding.deviations import Convention, deviations
from twofold.compare.judge.own.meeting.bout import Bout, Draw, Tensors
from twofold.compare.judge.own.meeting.images import near
from twofold.scratch.module import Array

ALIKE = 1e-11  # of a tensor's largest entry: under a convention that explains everything all agree so nearly
LEFT = 1e-3  # of what was apart: more than that may not be left under it
IN_LOG = (1e-7, 1e-8, 1e-12, 1e-10, 1e-15, 1e-9, 1e-6, 1e-5, 1e-11)


def convention(bout: Bout, one: Draw, ours: Tensors, theirs: Tensors) -> Convention | None:
    """The first that explains every tensor; None for none, as for numbers that are not finite."""
    if not all(np.isfinite(value).all() for value in ours.values()):
        return None
    for find in (factor, penalty, in_log, constant, clipped):
        if (found := find(bout, one, ours, theirs)) is not None:
            return found
    for told, deviating in deviations(bout):
        try:
            with deviating():
                run = bout.of_run(bout.golden(one))
        except Exception:  # it does not fit this reference
            continue
        if explains(ours, run, theirs):
            return told
    return None


def explains(ours: Tensors, deviating: Tensors, theirs: Tensors) -> bool:
    """Whether all agree with what deviates, and far better than with what does not: a small error is no convention."""
    if not all(name in deviating and near(np.asarray(value), deviating[name], ALIKE) for name, value in ours.items()):
        return False
    left, were = apart(ours, deviating), apart(ours, theirs)
    return left <= LEFT * were or left == 0


def apart(ours: Tensors, theirs: Tensors) -> float:
    """The largest difference of any tensor, as a part of its largest entry."""
    found = [
        float(np.abs(value - theirs[name]).max(initial=0)) / (float(np.abs(theirs[name]).max(initial=0)) or 1.0)
        for name, value in ours.items()
        if name in theirs and value.shape == theirs[name].shape
    ]
    return max(found, default=0.0)


def agree(ours: Tensors, theirs: Tensors, names: list[str]) -> bool:
    return all(near(np.asarray(ours[name]), theirs[name], ALIKE) for name in names if name in theirs)


def factor(bout: Bout, one: Draw, ours: Tensors, theirs: Tensors) -> Convention | None:
    """One number between the losses and between all gradients: a sum, a mean, a half."""
    outputs = [name for name in ours if name.startswith("output")]
    if "loss" not in ours or "loss" not in theirs or not agree(ours, theirs, outputs):
        return None
    of, other = float(ours["loss"]), float(theirs["loss"])
    if not other or not of or not np.isfinite(of / other):
        return None
    by = of / other
    gradients = [name for name in ours if name.startswith("d ")]
    if abs(by - 1) < 1e-6 or not all(near(ours[n], by * theirs[n], ALIKE) for n in gradients if n in theirs):
        return None
    told = f"the losses are {of:.6g} and {other:.6g}, a factor of {by:.6g}"
    told += f", and so it is in each of {len(gradients)} gradients"
    criterion = type(bout.reference.criterion).__name__ if bout.reference.criterion is not None else ""
    name = f"nn.{criterion}" if criterion.endswith("Loss") else "loss"
    reason, onward = reasons(bout, one, by)
    if bout.reference.criterion is None:
        return Convention(f"{told}{reason}", f"a reference that returns {number(by)} times its loss")
    onward = onward.replace("LOSS", name) or f"loss=lambda out, y: {number(by)} * loss(out, y)"
    return Convention(f"{told}{reason}", onward)


def number(by: float) -> str:
    """In six digits where that is all of it, else in so many that what is followed agrees."""
    short = f"{by:.6g}"
    return short if abs(float(short) - by) <= 1e-13 * abs(by) else repr(by)


def reasons(bout: Bout, one: Draw, by: float) -> tuple[str, str]:
    sizes = counts(bout, one)
    times = f"loss=lambda out, y: {number(by)} * loss(out, y)"
    for scale, half in ((1.0, ""), (0.5, "half "), (2.0, "twice ")):
        for name, size in sizes.items():
            if size > 1 and abs(by - scale * size) < 1e-6 * by:
                onward = 'loss=LOSS(reduction="sum")' if scale == 1 else times
                return f": {half}the sum over {size} {name}, where torch takes the mean", onward
            if size > 1 and abs(by - scale / size) < 1e-6 * by:
                told = f": {half}the mean over {size} {name}, where torch takes the sum"
                if scale == 1:
                    return told, 'loss=LOSS(reduction="mean")'
                return told, f"loss=lambda out, y: {number(by)} * loss(out, y)"
    if abs(by - 0.5) < 1e-9:
        return ": halved", "loss=lambda out, y: 0.5 * loss(out, y)"
    return "", ""


def counts(bout: Bout, one: Draw) -> dict[str, int]:
    """What a sum may run over: samples, outputs of one, both."""
    shapes = [shape for shape in bout.shapes if shape]
    if not shapes:
        first = np.shape(bout.pairing.ways[0].apply(one.data[0]))
        return {"samples": int(first[0])} if first else {}
    found = {"samples": shapes[0][0], "entries": int(np.prod(shapes[0]))}
    if len(shapes[0]) > 1:
        found["outputs"] = shapes[0][-1]
        found["positions"] = int(np.prod(shapes[0][:-1]))
    return found


def weights(bout: Bout, one: Draw) -> dict[str, Array]:
    return {
        f"d {leaf.name}": bout.pairing.layout.in_rows(leaf, one.values[leaf.name])
        for leaf in bout.leaves
        if f"{leaf.name}" in one.values
    }


def penalty(bout: Bout, one: Draw, ours: Tensors, theirs: Tensors) -> Convention | None:
    """L2 of the weights in scratch's loss and gradients alone."""
    if "loss" not in ours or "loss" not in theirs:
        return None
    held, rates, squares, whose = weights(bout, one), [], 0.0, []
    for name in (n for n in ours if n.startswith("d ") and n in theirs):
        if ours[name].shape != theirs[name].shape:
            return None
        rest = ours[name] - theirs[name]
        if near(ours[name], theirs[name], ALIKE):
            continue
        if name not in held:
            return None
        weight = held[name]
        rate = float((rest * weight).sum() / (weight * weight).sum())
        if not near(ours[name], theirs[name] + rate * weight, ALIKE):
            return None
        rates.append(rate)
        whose += bout.pairing.layout.torch_names(bout.leaf(name.removeprefix("d ")))
        squares += float((weight * weight).sum())
    if not rates or max(rates) - min(rates) > 1e-6 * abs(rates[0]):
        return None
    extra = float(ours["loss"]) - float(theirs["loss"])
    if abs(extra - 0.5 * rates[0] * squares) > 1e-6 * abs(extra):
        return None
    told = f"scratch's loss has {0.5 * rates[0]:.6g} times the squares of {len(rates)} weights in it, torch's has not"
    squares_of = f"sum((net.get_parameter(name) ** 2).sum() for name in {tuple(whose)})"
    more = f"{number(float(f'{0.5 * rates[0]:.12g}'))} * {squares_of}"
    if bout.reference.criterion is None:
        return Convention(told, f"a reference, net, that adds {more}")
    return Convention(told, f"loss=lambda out, y: loss(out, y) + {more}")


def in_log(bout: Bout, one: Draw, ours: Tensors, theirs: Tensors) -> Convention | None:
    """A small number within the log of a cross-entropy that is reported; its gradient is the one without."""
    rest = [name for name in ours if name != "loss"]
    if "loss" not in ours or "loss" not in theirs or bout.reference.criterion is None:
        return None
    if not rest or not agree(ours, theirs, rest):
        return None
    for eps in IN_LOG:
        try:
            with patch.object(bout.reference, "criterion", partial(entropy, bout, bout.reference.criterion, eps)):
                run = bout.golden(one)
        except Exception:  # another kind of loss
            return None
        if run.loss is not None and explains({"loss": ours["loss"]}, {"loss": run.loss}, theirs):
            told = f"{eps:g} is added within the log of the loss that is reported, and no gradient knows of it"
            return Convention(told, f"-np.log(p) without + {eps:g}", reported=True)
    return None


def entropy(bout: Bout, criterion: Any, eps: float, out: Any, target: Any) -> Any:
    """The cross-entropy of probabilities or scores with a number within its log, scaled as torch's is."""
    torch = bout.reference.torch
    plain = criterion(out, target)
    if target.is_floating_point() and target.shape == out.shape and out.min() >= 0 and out.max() <= 1:
        terms = [-(target * torch.log(out + e) + (1 - target) * torch.log(1 - out + e)) for e in (0.0, eps)]
    else:
        p = torch.softmax(out, 1 if out.ndim > 1 else 0)
        wanted = target if target.is_floating_point() else torch.nn.functional.one_hot(target, p.shape[-1])
        terms = [-(wanted * torch.log(p + e)) for e in (0.0, eps)]
    return plain * terms[1].sum() / terms[0].sum()


def constant(bout: Bout, one: Draw, ours: Tensors, theirs: Tensors) -> Convention | None:
    """A number in the loss that no gradient sees."""
    rest = [name for name in ours if name != "loss"]
    if "loss" not in ours or "loss" not in theirs or len(rest) < 1 or not agree(ours, theirs, rest):
        return None
    more = float(ours["loss"]) - float(theirs["loss"])
    if apart({name: ours[name] for name in rest}, theirs) > LEFT * abs(more / (float(theirs["loss"]) or 1.0)):
        return None
    onward = f"loss=lambda out, y: loss(out, y) + {more!r}" if bout.reference.criterion else ""
    return Convention(f"the losses are {more:.6g} apart and every gradient agrees", onward)


def clipped(bout: Bout, one: Draw, ours: Tensors, theirs: Tensors) -> Convention | None:
    """Gradients cut at one bound, which is the largest entry that there is; where none is but zeros nothing was cut."""
    gradients = [name for name in ours if name.startswith("d ") and name in theirs]
    if not gradients or any(ours[n].shape != theirs[n].shape for n in gradients):
        return None
    bound = max(float(np.abs(ours[name]).max(initial=0)) for name in gradients)
    rest = [name for name in ours if name not in gradients]
    if not bound or agree(ours, theirs, gradients) or not agree(ours, theirs, rest):
        return None
    if not all(near(ours[n], np.clip(theirs[n], -bound, bound), ALIKE) for n in gradients):
        return None
    if not any((np.abs(theirs[n]) > bound).any() for n in gradients):
        return None
    return Convention(
        f"gradients are clipped at {bound:.6g}", "clip in a reference_step=, or pass data of a smaller scale"
    )
