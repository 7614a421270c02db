"""Torch's forward pass as the search runs it, and a part of it once more with other parameters."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from twofold.compare.judge.own.meeting.images import IMAGES
from twofold.compare.judge.own.meeting.solving.gates import forms
from twofold.compare.judge.own.meeting.solving.moves import flat
from twofold.compare.judge.own.meeting.solving.pool import LEAST, Pool
from twofold.compare.judge.own.meeting.solving.splits import Splits, Watching
from twofold.compare.judge.own.meeting.solving.stepping import Met, Pure, Step, Stepping, Unit
from twofold.compare.sides.devices import seed_torch
from twofold.compare.sides.foreign.reference import UsersReference, array_of
from twofold.scratch.module import Array


class Number(NamedTuple):
    """What an operation gave, whether it rests on what is tried, and whether it only moved entries."""

    value: Array
    rests: bool = True
    moved: bool = False


@dataclass
class Walk:
    """What came of one forward pass: the steps since a unit was first taken, and the unit that it stopped at."""

    met: Unit | None
    steps: list[Step]
    pure: dict[int, Pure]
    outputs: list[Tensor]
    loss: Array | None = None

    def values(self) -> list[Array]:
        """Of the steps, and where the pass came to its end what may be made of the outputs."""
        return [value for value, *_ in self.numbers({}, set())]

    def taken(self) -> Tensor | None:
        """What the first step was given beside parameters."""
        given = (one for step in self.steps[:1] for one in flat(step.args))
        return next((one for one in given if one.is_floating_point() and id(one) not in self.pure), None)

    def again(self, changed: Mapping[str, Array], fed: Array | None = None) -> list[Number] | None:
        """The values with other parameters in the steps, and which rest on them. None where that takes a run."""
        whole = {name: torch.from_numpy(value.ravel()) for name, value in changed.items()}
        made: dict[int, Tensor] = {}
        resting: set[int] = set()
        silent: set[int] = set()  # what nothing was added to, or what was taken times one
        if fed is not None and (taken := self.taken()) is not None:
            made[id(taken)] = torch.from_numpy(np.array(fed))
        try:
            with torch.no_grad():
                for step, given in self.with_tensors:
                    fresh = {id(one): new for one in given if (new := self.anew(one, whole)) is not None}
                    made.update(fresh)
                    resting.update(fresh)
                    if made.keys().isdisjoint(map(id, given)):
                        continue
                    out = step.run(*put(step.args, made), **{key: put(one, made) for key, one in step.kwargs.items()})
                    touched = not resting.isdisjoint(map(id, given))
                    for old, new in zip(flat([step.out]), flat([out]), strict=True):
                        made[id(old)] = new
                        if touched:
                            resting.add(id(old))
                            inputs = (made.get(id(one), one) for one in given)
                            if any(one.shape == new.shape and torch.equal(one, new) for one in inputs):
                                silent.add(id(old))
        except Exception:  # these do not fit one another, or it cannot be told what they are made of
            return None
        return self.numbers(made, resting - silent)

    def anew(self, tensor: Tensor, whole: Mapping[str, Tensor]) -> Tensor | None:
        """What is made of parameters alone, of these; None where they are not in it."""
        names, parts = self.pure.get(id(tensor), ((), ()))
        if whole.keys().isdisjoint(names):
            return None
        if parts is None or not whole.keys() >= set(names):
            raise LookupError
        first, *others = (whole[name][part.long()] for name, part in zip(names, parts, strict=True))
        return sum(others, first)

    def numbers(self, made: Mapping[int, Tensor], resting: set[int]) -> list[Number]:
        values = [
            Number(made.get(id(old), old).numpy(force=True), id(old) in resting, moved) for old, moved in self.results
        ]
        for end in self.outputs if self.met is None else ():
            if end.ndim and end.numel() >= LEAST:
                value = array_of(made.get(id(end), end))
                images = [image(value) for word, image in IMAGES.items() if word not in ("", "argmax")]
                values += [Number(image, id(end) in resting, False) for image in images]
        return values

    @cached_property
    def with_tensors(self) -> list[tuple[Step, list[Tensor]]]:
        """Each step with those that it was given."""
        return [(step, list(flat([step.args, *step.kwargs.values()]))) for step in self.steps]

    @cached_property
    def results(self) -> list[tuple[Tensor, bool]]:
        """What the steps gave that may be found again, and whether it was only moved."""
        every = [(old, step.moves) for step in self.steps for old in flat([step.out])]
        return [(old, moved) for old, moved in every if old.is_floating_point() and old.numel() >= LEAST]


def put(value: Any, made: Mapping[int, Tensor]) -> Any:
    """Arguments with what stands for their tensors now."""
    if isinstance(value, Tensor):
        return made.get(id(value), value)
    return type(value)([put(one, made) for one in value]) if type(value) in (list, tuple) else value


class Walker:
    """Runs torch's forward pass for the search, and counts."""

    def __init__(self, reference: UsersReference, data: Sequence[Any], masks: Pool | None, training: Any) -> None:
        self.reference, self.data, self.masks, self.training = reference, data, masks, training
        self.runs = 0
        self.splits: Splits | None = None

    def look(self, state: Mapping[str, Array]) -> None:
        """One pass ahead, in which it shows where linear layers are cut."""
        watching = Watching(forms())
        try:
            self.pass_through(state, watching)
        except Exception:  # with a layout of its own no layer is cut
            return
        self.splits = watching.splits()

    def walk(
        self,
        state: Mapping[str, Array],
        known: Mapping[str, Array],
        tried: Unit | None,
        fed: Sequence[tuple[Unit, Array]] = (),
    ) -> Walk:
        """One pass with `state`, of which entries are `known`. Raises what torch raises."""
        mode = Stepping(known, tried)
        mode.masks, mode.splits, mode.fed = self.masks, self.splits, [*fed]
        met, outputs, loss = self.pass_through(state, mode)
        return Walk(met, mode.steps, mode.pure, outputs, None if loss is None else array_of(loss))

    def end(self, state: Mapping[str, Array]) -> Walk:
        """One pass of which nothing but what comes out is kept. Raises what torch raises."""
        _, outputs, loss = self.pass_through(state, None)
        return Walk(None, [], {}, outputs, None if loss is None else array_of(loss))

    def pass_through(
        self, state: Mapping[str, Array], mode: Stepping | Watching | None
    ) -> tuple[Unit | None, list[Tensor], Tensor | None]:
        """Up to the first unknown part, if there is one, else outputs and loss."""
        reference = self.reference
        self.runs += 1
        reference.load(state, "float64")
        if self.training is not None:
            for module in reference.modules.values():
                module.train(self.training)
        seed_torch(0, reference.device)
        tensors = [reference.tensor(array, "float64") for array in self.data]
        arguments = {name: reference.tensor(state[name], "float64") for name in reference.arguments}
        named = {id(tensor): (name, tensor) for name, tensor in {**reference.parameters, **arguments}.items()}
        if mode is not None:
            mode.follow_these(named)
        inputs = tensors[:-1] if reference.criterion else tensors
        met: Unit | None = None
        outputs: list[Tensor] = []
        loss: Tensor | None = None
        try:
            with torch.no_grad(), mode or nullcontext():
                out = reference.reference(*inputs, *arguments.values())
                outputs, loss = reference.parted(out, tensors[-1] if tensors else None)
        except Met as stop:
            met = stop.units[0]
        return met, outputs, loss
