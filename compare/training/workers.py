"""One side trained by several workers with torch's DistributedDataParallel: rank 0 orders, the others compute with it.

Rank 0 has the data, decides what is trained and when it stops, and writes. Of every batch each worker is sent its
share, and all take the same step: none but rank 0 needs files, seeds or the recipe.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from twofold.compare.data import Split
from twofold.compare.errors import BadInput
from twofold.compare.interrupts import handled
from twofold.compare.keeping import versions
from twofold.compare.pair import Pair
from twofold.compare.sides import Reference
from twofold.compare.sides.steady import in_full, repeatable
from twofold.compare.threads import threads
from twofold.compare.training.crew import Crew
from twofold.compare.training.shares import PROBED, Share, objective, refusal, shares, sizes
from twofold.compare.training.train import Configuration, build, records
from twofold.scratch.module import Array


@dataclass(frozen=True)
class Start:
    """What is trained, by which code."""

    pair: Pair
    configuration: Configuration
    versions: dict[str, str]


@dataclass(frozen=True)
class State:
    """What rank 0 has beside gradients: weights, and what its optimizer was given and keeps."""

    weights: dict[str, Array]
    optimizer: Any


@dataclass(frozen=True)
class End:
    status: int


class Together:
    """One worker's side, whose gradients become the mean of all workers' on their way back."""

    def __init__(self, side: Reference, crew: Crew) -> None:
        self.side, self.crew, self.torch = side, crew, side.torch
        self.asked: list[int] = []  # the signals that reached this worker
        self.parallel = self.torch.nn.parallel.DistributedDataParallel(
            held(side), process_group=crew.gradients, find_unused_parameters=True
        )

    def gradients(self, share: Share) -> tuple[float, Array, int]:
        """Those of the whole batch; with its loss and outputs, and a signal that reached a worker, else 0."""
        side, crew, torch = self.side, self.crew, self.torch
        in_full()
        side.train()
        side.optimizer.zero_grad()
        out = self.parallel(side.tensor(share.inputs))
        loss = objective(side, out, side.tensor(share.target), share, crew.size)
        loss.backward()
        figures = torch.zeros(1 + crew.size, dtype=torch.float64)
        figures[0], figures[1 + crew.rank] = float(loss.detach()) / crew.size, (self.asked or [0])[-1]
        loss_of_all, *asked = crew.summed(figures).tolist()
        outs = torch.zeros((share.whole, *out.shape[1:]), dtype=out.dtype)
        outs[share.start : share.start + share.own] = out.detach()[: share.own]
        return loss_of_all, crew.summed(outs).numpy(), int(max(asked))


def held(side: Reference) -> Any:
    """The model beside a parameter that is never used: the order of sums stays that of the first step.

    DistributedDataParallel would rearrange them after it, and a training that is taken up again would begin anew with
    the first one, unless it looks for unused parameters; and where it finds none it complains.
    """
    torch = side.torch
    module: Any = torch.nn.Module

    class Held(module):
        def __init__(self) -> None:
            super().__init__()
            self.model = side.model
            self.unused = torch.nn.Parameter(torch.zeros(1, dtype=getattr(torch, side.dtype.name), device=side.device))

        def forward(self, x: Any) -> Any:
            return self.model(x)

    return Held()


class Leader(Reference):
    """Rank 0's side: a reference whose training steps all workers take; what else it is asked for it does alone."""

    def __init__(self, pair: Pair, configuration: Configuration, crew: Crew) -> None:
        given = pair.model, pair.loss, pair.optimizer, configuration.dtype
        device = crew.computing_on(configuration.device)
        super().__init__(*given, device, penalty=pair.penalty, clip=pair.clip)
        self.crew, self.asked = crew, 0  # the signal that reached a worker
        self.sent: Any = None  # the optimizer that the others have, if they have this one's state and the weights too
        with self.step_of_all():
            self.together = Together(self, crew)

    def load(self, state: Any) -> None:
        super().load(state)
        self.sent = None

    def load_optimizer_state(self, state: Any) -> None:
        super().load_optimizer_state(state)
        self.sent = None

    def train_step(self, x: Array, target: Array) -> tuple[float, Array]:
        with self.step_of_all():
            if self.sent is not self.optimizer:
                kept = on_host(self.torch, self.optimizer.state_dict())
                self.crew.send([State(self.state(), kept)] * self.crew.size)
                self.sent = self.optimizer
            parts = shares(x, target, sizes(len(target), self.crew.size))
            self.crew.send(parts)
            loss, out, self.asked = self.together.gradients(parts[0])
        if self.check is not None:
            self.check(loss)
        self.step()
        return loss, out

    @contextmanager
    def step_of_all(self) -> Iterator[None]:
        """While it lasts all depend on each other. Raises Lost for who is missed."""
        self.crew.within, began = True, time.monotonic()
        try:
            yield
        except RuntimeError as error:
            found = self.crew.lost(error, time.monotonic() - began)
            if found is error:
                raise
            raise found from None
        self.crew.within = False


def on_host(torch: Any, content: Any) -> Any:
    """Tensors on the CPU, in whatever holds them."""
    if isinstance(content, torch.Tensor):
        return content.cpu()
    if isinstance(content, dict):
        return {key: on_host(torch, part) for key, part in content.items()}
    return type(content)(on_host(torch, part) for part in content) if isinstance(content, list | tuple) else content


@contextmanager
def commanding(crew: Crew) -> Iterator[None]:
    """However rank 0 ends, the others end with it, and with its status; within a step they find it gone."""
    status = 0
    try:
        yield
    except BaseException as error:
        status = getattr(error, "status", 1)
        raise
    finally:
        if not crew.within:
            crew.ending = True
            with suppress(RuntimeError):
                crew.send([End(status)] * crew.size)


def leader(pair: Pair, configuration: Configuration, crew: Crew) -> Leader:
    """Rank 0's side, which the others serve."""
    crew.send([Start(pair, configuration, versions())] * crew.size)
    return Leader(pair, configuration, crew)


def serve(crew: Crew) -> int:
    """What every other rank does, until rank 0 says with which status it ends."""
    if isinstance(start := crew.receive(), End):
        return start.status
    if (ours := versions()) != start.versions:
        name = next(name for name in ours if ours[name] != start.versions.get(name))
        raise BadInput(f"expected {name} {start.versions.get(name)}, as rank 0 has it, found {ours[name]}")
    configuration = replace(start.configuration, device=crew.computing_on(start.configuration.device))
    side: Any = build(start.pair, configuration)
    together = Together(side, crew)
    with (
        threads(configuration.threads),
        repeatable(configuration.device),
        handled(lambda number, frame: together.asked.append(number)),
    ):
        while not isinstance(order := crew.receive(), End):
            if isinstance(order, State):
                side.load(order.weights)
                side.optimizer.load_state_dict(order.optimizer)
            else:
                together.gradients(order)
                side.step()
    return order.status


def must_share(pair: Pair, configuration: Configuration, split: Split) -> None:
    """Raises BadInput in one line where no mean over workers has the gradient of a whole batch."""
    side: Any = build(pair, replace(configuration, dtype="float64", device="cpu"))
    side.load(pair.initial_state(configuration.seed))
    with np.errstate(all="ignore"):
        told = refusal(side, *records(split, slice(0, PROBED), side))
    if told:
        expected = "a model whose gradient of a batch is the mean of its parts'"
        raise BadInput(f"--workers {configuration.workers}: expected {expected}, but {told}")
