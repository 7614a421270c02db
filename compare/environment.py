"""What a result depends on beside the code."""

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

from twofold import __version__

NAMES = ("twofold", "python", "platform", "cpus", "numpy", "torch", "cuda")


def import_matplotlib() -> Any:
    """matplotlib, for pictures in files: the window system that MPLBACKEND names is not asked for."""
    with without("MPLBACKEND"):
        import matplotlib
    return matplotlib


@contextmanager
def without(variable: str) -> Iterator[None]:
    """The environment without one variable."""
    kept = os.environ.pop(variable, None)
    try:
        yield
    finally:
        if kept is not None:
            os.environ[variable] = kept


def environment() -> dict[str, Any]:
    import torch

    device = torch.cuda.get_device_name() if torch.cuda.is_initialized() else None  # to ask would start it
    machine = platform.python_version(), platform.platform(), os.cpu_count()
    return dict(zip(NAMES, (__version__, *machine, version("numpy"), torch.__version__, device), strict=True))
