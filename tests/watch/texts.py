"""A stranger's file as a text, and one run of its `run` with the lines watched and without."""

import linecache
from collections.abc import Callable
from types import ModuleType
from typing import Any

from twofold.compare.watch.lines import Watcher, watched

PRELUDE = "import numpy as np\n"


def written(text: str, name: str = "stranger.py") -> ModuleType:
    """A module whose lines are known to linecache alone; each begins with the import of NumPy."""
    file = f"<{name}>"
    text = PRELUDE + text
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    module = ModuleType("stranger")
    module.__file__ = file
    exec(compile(text, file, "exec", dont_inherit=True), vars(module))
    return module


def is_strangers(file: str) -> bool:
    return file.startswith("<stranger")


def watch(call: Callable[[], Any], **limits: Any) -> tuple[Any, Watcher]:
    """What it gives, and the watcher after it."""
    with watched(is_strangers, **limits) as watcher:
        result = call()
    return result, watcher


def bound(watcher: Watcher) -> list[tuple[int, str]]:
    """Every value that was made: at which line, by which name."""
    found = []
    for execution in watcher.trace.executions:
        found += [
            (execution.statement.line, name) for name, number in execution.writes.items() if number in execution.made
        ]
    return found
