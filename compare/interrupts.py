"""Ctrl-C and SIGTERM: asked for between two steps, where stopping loses nothing."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(BaseException):
    """By a signal, after which a command ends with status 128 + its number, as shells have it."""

    def __init__(self, number: int = signal.SIGINT) -> None:
        super().__init__()
        self.number = int(number)

    @property
    def status(self) -> int:
        return 128 + self.number


class Asked:
    """Whether a stop was asked for; a second request raises Interrupted wherever the code is."""

    def __init__(self) -> None:
        self.number: int | None = None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self.number is not None:
            raise Interrupted(number)
        self.number = number

    def check(self) -> None:
        """Raises Interrupted if a stop was asked for."""
        if self.number is not None:
            raise Interrupted(self.number)


@contextmanager
def handled(handler: signal.Handlers | object) -> Iterator[None]:
    """Both signals by a handler while it lasts; nothing changes outside the main thread, which alone may ask for it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {one: signal.signal(one, handler) for one in SIGNALS}  # type: ignore[arg-type]
    try:
        yield
    finally:
        for one, old in before.items():
            signal.signal(one, old)


@contextmanager
def between_steps() -> Iterator[Asked]:
    """While it lasts a signal only sets a flag, which is read where nothing is half done."""
    asked = Asked()
    with handled(asked):
        yield asked


def at_once(number: int, frame: FrameType | None) -> NoReturn:
    """The handler of a command that has nothing half done: it ends, and what it started with it."""
    raise Interrupted(number)
