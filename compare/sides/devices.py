"""Where torch is and what it can compute on. torch is imported only when a side needs it."""

import os
from typing import Any

from twofold.compare.errors import BadInput


class SideError(BadInput):
    """The side cannot run as asked, in one line: no CUDA device, a torch that does not import."""


def import_torch() -> Any:
    """torch; raises SideError in one line where it cannot be imported."""
    try:
        import torch
    except (ImportError, OSError) as error:
        raise SideError(
            f"the reference side needs torch, and importing it failed: {str(error).splitlines()[0]}"
        ) from error
    return torch


def devices(wanted: str) -> list[str]:
    """The devices that `--device` names: cpu, cuda, auto for those two, or any that torch.device takes.

    auto is the CPU and CUDA where it is present. Of the CPU alone torch is not asked. Raises SideError.
    """
    if wanted == "cpu":
        return ["cpu"]
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when CUDA starts, here or in a worker
    torch = import_torch()
    if wanted == "auto":
        return ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    if wanted == "cuda" and not torch.cuda.is_available():
        raise SideError("--device cuda: expected a CUDA device that torch can use, found none; try --device cpu")
    try:
        torch.zeros(1, dtype=torch.float64, device=torch.device(wanted)).cpu()
    except Exception as error:  # each backend raises its own
        found = str(error).splitlines()[0]
        raise SideError(
            f"--device {wanted}: expected cpu, cuda, auto or a device that torch can use: {found}"
        ) from error
    return [wanted]


def seed_torch(seed: int, device: str = "cpu") -> None:
    """The CPU's generator, a device's own, and CUDA's once it runs: torch.manual_seed asks for those that do not."""
    torch = import_torch()
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(seed)
    if device != "cpu":
        torch.get_device_module(torch.device(device)).manual_seed_all(seed)
