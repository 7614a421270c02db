"""What goes wrong with a worker, in a process of its own: what rank 0's others do in the place of `serve`."""

import os
import signal
import time
from collections.abc import Callable
from functools import partial
from unittest.mock import patch

from twofold.compare.training import workers
from twofold.compare.training.crew import Crew
from twofold.compare.training.shares import Share

STEP = 3  # of which the last worker makes no more
gradients = workers.Together.gradients


def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def raises() -> None:
    raise ValueError("no\nmore")


def hangs() -> None:
    time.sleep(600)


def asked() -> None:
    signal.raise_signal(signal.SIGTERM)


def in_trouble(trouble: Callable[[], None], after: bool, crew: Crew) -> int:
    """Serves, but for the last worker's step: in it, or after it where the next order is waited for."""
    count = 0

    def shadow(self: workers.Together, share: Share) -> object:
        nonlocal count
        count += 1
        found = gradients(self, share) if after else None
        if count == STEP and crew.rank == crew.size - 1:
            trouble()
        return found or gradients(self, share)

    with patch.object(workers.Together, "gradients", shadow):
        return serve(crew)


serve = workers.serve
TROUBLES = {
    name: partial(in_trouble, trouble, name == "hangs between steps")
    for name, trouble in (
        ("killed", killed),
        ("raises", raises),
        ("hangs", hangs),
        ("hangs between steps", hangs),
        ("asked", asked),
    )
}
