"""The processes that train one side together: how they find each other, what they send, and who is missing.

Rank 0 leads. Either it starts the others on this host, on the loopback alone, or all were started by torchrun or the
like, which says in the environment who is who. Orders go from rank 0 to the others, which wait for them as long as it
takes; within a step nobody waits longer than PATIENCE.
"""

import ctypes
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from multiprocessing.connection import wait
from pathlib import Path
from signal import Signals
from threading import Thread
from typing import Any

from twofold.compare.errors import BadInput, Status
from twofold.compare.processes import end_with_parent
from twofold.compare.sharding import number_in
from twofold.compare.sides import SideError, import_torch

JOINING = 120.0  # seconds for all to be there
PATIENCE = 15.0  # seconds that one waits for another within a step
GRACE = 3.0  # seconds for those that are left to say so
FOREVER = timedelta(days=30)
LOOPBACK = "lo0" if sys.platform == "darwin" else "lo"
QUIET = ("TORCH_CPP_LOG_LEVEL", "ERROR")  # a connection that is lost is told in one line, and not with torch's stack
INTERFACES = ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME")
WAITED = "waited"  # what one says that lost another


class Lost(BadInput):
    """A worker ended or does not answer, in one line."""


@dataclass
class Crew:
    """One process's place among `size`. Figures go over `steps`, gradients over `gradients`, orders over `orders`.

    `processes` are those that this one started, all but itself; `ending` says that they may end, `deaf` that what they
    say is not to be read any more.
    """

    rank: int
    size: int
    store: Any
    local: int  # this one's place among those `here` on its host
    here: int
    processes: Sequence[Any] = ()
    within: bool = False  # a step, in which all depend on each other
    ending: bool = False
    deaf: bool = False
    orders: Any = field(init=False)
    steps: Any = field(init=False)
    gradients: Any = field(init=False)

    def join(self) -> None:
        """Returns when all are there. Raises Lost."""
        dist, began = import_torch().distributed, time.monotonic()
        try:
            dist.init_process_group(
                "gloo", store=self.store, rank=self.rank, world_size=self.size, timeout=timedelta(seconds=JOINING)
            )
            patience = timedelta(seconds=PATIENCE)
            self.steps = dist.new_group(backend="gloo", timeout=patience)
            # what is sent waits for who takes it: an order that nobody takes is waited for no longer than a step
            self.orders = dist.new_group(backend="gloo", timeout=FOREVER if self.rank else patience)
            warm_up(self.rank)
            dist.barrier()
        except RuntimeError as error:
            told = self.lost(error, time.monotonic() - began)
            absent = f"--workers {self.size}: expected all within {JOINING:g} seconds, found not all of them"
            raise told if isinstance(told, Lost) else Lost(absent) from error

    def computing_on(self, device: str) -> str:
        """This worker's device, once the way of gradients is open. Raises SideError where two would share one."""
        self.gradients = self.steps
        if device == "cpu":
            return device
        torch = import_torch()
        if self.here > (there := torch.cuda.device_count()):
            told = f"expected a CUDA device for each of {self.here} workers on this host, found {there}"
            raise SideError(f"--workers {self.size}: {told}; try --device cpu")
        torch.cuda.set_device(self.local)
        self.gradients = torch.distributed.new_group(backend="nccl", timeout=timedelta(seconds=PATIENCE))
        return f"cuda:{self.local}"

    def send(self, orders: Sequence[Any]) -> None:
        """One to each, rank 0's own among them."""
        import_torch().distributed.scatter_object_list([None], list(orders), src=0, group=self.orders)

    def receive(self) -> Any:
        """The order for this rank, however long it takes."""
        found: list[Any] = [None]
        import_torch().distributed.scatter_object_list(found, None, src=0, group=self.orders)
        return found[0]

    def summed(self, tensor: Any) -> Any:
        """Over all, in place."""
        import_torch().distributed.all_reduce(tensor, group=self.steps)
        return tensor

    def say(self, what: str) -> None:
        """Why this one ends, for whoever can still read it."""
        with suppress(RuntimeError):
            self.store.set(f"end/{self.rank}", what)

    def said(self, rank: int) -> str | None:
        """Why another ended, if it said so."""
        key = f"end/{rank}"
        try:
            return self.store.get(key).decode() if not self.deaf and self.store.check([key]) else None
        except RuntimeError:  # the store is gone with rank 0
            self.deaf = True
            return None

    def heard(self, ranks: Sequence[int]) -> dict[int, str | None]:
        """What each has said, once all have, or have ended, or GRACE is over."""
        deadline = time.monotonic() + GRACE
        while any(self.said(r) is None and self.code(r) is None for r in ranks):
            if self.deaf or time.monotonic() > deadline:
                break
            time.sleep(0.05)
        return {rank: self.said(rank) for rank in ranks}

    def code(self, rank: int) -> int | None:
        """How a process that this one started has ended, if it has."""
        return self.processes[rank - 1].exitcode if self.processes and rank else None

    def lost(self, error: Exception, waited: float) -> Exception:
        """What rank 0 has to tell of an error within a step that took so long: whom it lost, else the error itself."""
        words = self.heard(range(1, self.size))
        silent = [rank for rank, told in words.items() if told is None]
        reasons = {rank: told for rank, told in words.items() if told and told != WAITED}
        reasons |= {rank: ended_by(code) for rank in silent if (code := self.code(rank)) is not None}
        if not reasons and silent:
            answered = self.processes or waited >= PATIENCE
            reasons[silent[0]] = f"did not answer for {PATIENCE:g} seconds" if answered else "ended without a word"
        for rank, reason in reasons.items():
            return self.without(rank, reason)
        return error

    def without(self, rank: int, reason: str) -> Lost:
        return Lost(f"--workers {self.size}: worker {rank + 1} of {self.size} {reason}")

    def watch(self) -> None:
        """In a thread of rank 0: ends all where a process is gone and the main thread does not hear of it."""
        wait([process.sentinel for process in self.processes])
        time.sleep(2 * GRACE)
        if not self.ending:
            told = self.lost(Lost(f"--workers {self.size}: expected every worker to go on, found some ended"), 0)
            self.kill()
            os.write(2, f"\ntwofold: {told}\n".encode())
            os._exit(Status.BAD_INPUT)

    def kill(self) -> None:
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.join()

    def abandon(self) -> None:
        """Where a step broke off: who destroys a group waits for what nobody will send, as long as for the step."""
        for name in ("orders", "steps", "gradients"):
            if name in vars(self):
                kept_for_good(vars(self)[name])

    def leave(self, patience: float) -> None:
        """Those that this one started, and that do not end by themselves, are killed."""
        self.ending = True
        deadline = time.monotonic() + patience
        for process in self.processes:
            process.join(max(0.0, deadline - time.monotonic()))
        self.kill()
        if self.within:
            self.abandon()
        dist = import_torch().distributed
        if dist.is_initialized():
            dist.destroy_process_group()


def kept_for_good(what: Any) -> None:
    """Nobody destroys it any more, not even Python's end."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(what))


def warm_up(rank: int) -> None:
    """What is slow the first time, as what is imported then, done alone: in a step others would wait for it."""
    torch = import_torch()
    alone = torch.distributed.new_group([rank], backend="gloo", use_local_synchronization=True)
    torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(1, 1), process_group=alone)(torch.zeros(1, 1)).backward()


def ended_by(code: int) -> str:
    return f"was killed by {Signals(-code).name}" if code < 0 else f"ended with status {code}"


def is_loss(error: BaseException) -> bool:
    """Whether it is said by what passes numbers on, and by nothing of the model."""
    torch = import_torch()
    kinds = (torch.distributed.DistError, torch.distributed.DistBackendError)
    return isinstance(error, kinds) or (isinstance(error, RuntimeError) and "gloo" in str(error))


@contextmanager
def started(workers: int, work: Callable[[Crew], object]) -> Iterator[Crew]:
    """Rank 0 of so many on this host; `work` is what each of the others does, which end with this one."""
    torch = import_torch()
    from torch import multiprocessing

    with tempfile.TemporaryDirectory(prefix="twofold-", ignore_cleanup_errors=True) as folder, on_loopback():
        path = str(Path(folder) / "store")
        processes: Sequence[Any] = ()
        if workers > 1:
            given = (workers, path, work)
            processes = multiprocessing.spawn(other, given, workers - 1, join=False, daemon=True).processes
        crew = Crew(0, workers, torch.distributed.FileStore(path, workers), 0, workers, processes)
        try:
            if processes:
                Thread(target=crew.watch, daemon=True).start()
            crew.join()
            yield crew
        finally:
            crew.leave(GRACE if crew.ending else 0)


def other(index: int, workers: int, path: str, work: Callable[[Crew], object]) -> None:
    """A process that rank 0 started: it says why it ends, and prints nothing."""
    end_with_parent()
    rank, store = index + 1, import_torch().distributed.FileStore(path, workers)
    crew = Crew(rank, workers, store, rank, workers)
    try:
        crew.join()
        work(crew)
    except BaseException as error:
        crew.say(reason_of(error))
        os._exit(1)  # whatever still hangs on the others
    os._exit(0)


def reason_of(error: BaseException) -> str:
    if isinstance(error, Lost) or is_loss(error):
        return WAITED
    return f"raised {type(error).__name__}: {' '.join(str(error).split())}"


@contextmanager
def on_loopback() -> Iterator[None]:
    """What is started now talks over the loopback alone, whatever the host's name leads to, and quietly."""
    wanted = dict.fromkeys(INTERFACES, LOOPBACK) | dict([QUIET])
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, kept in before.items():
            os.environ.pop(name)
            if kept is not None:
                os.environ[name] = kept


@contextmanager
def joined() -> Iterator[Crew]:
    """One of those that torchrun, or whoever sets what it sets, has started. Raises BadInput, Lost."""
    os.environ.setdefault(*QUIET)
    rank, size = (number_in("--workers", name) for name in ("RANK", "WORLD_SIZE"))
    number_in("--workers", "MASTER_PORT")
    if rank >= size:
        raise BadInput(f"--workers env: expected RANK below WORLD_SIZE, {size}, found {rank}")
    local, here = int(os.environ.get("LOCAL_RANK", 0)), int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    dist = import_torch().distributed
    try:
        store, _, _ = next(dist.rendezvous("env://", rank, size, timeout=timedelta(seconds=JOINING)))
    except (RuntimeError, ValueError, OSError) as error:
        address = f"{os.environ.get('MASTER_ADDR')}:{os.environ['MASTER_PORT']}"
        told = f"expected rank 0 at MASTER_ADDR:MASTER_PORT, {address}, within {JOINING:g} seconds, found none"
        raise Lost(f"--workers env: {told}") from error
    crew = Crew(rank, size, dist.PrefixStore("twofold", store), local, here)
    try:
        crew.join()
        yield crew
    except BaseException as error:
        crew.say(reason_of(error))
        if rank == 0 and size > 1 and not crew.ending:
            time.sleep(1)  # it may be this process that holds what the others read
        elif rank and is_loss(error):
            words = crew.heard([0])[0]
            if words is None:
                raise crew.without(0, "ended without a word") from None
            raise SystemExit(Status.BAD_INPUT) from None  # rank 0 has told it
        raise
    finally:
        crew.leave(0)
