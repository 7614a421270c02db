"""What a result depends on beside the code."""

import os
import platform
from importlib.metadata import version
from typing import Any

from twofold import __version__


def environment() -> dict[str, Any]:
    import torch

    return {
        "twofold": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "numpy": version("numpy"),
        "torch": torch.__version__,
        "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }
