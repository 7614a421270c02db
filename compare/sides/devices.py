"""Where torch is and what it can compute on. torch is imported only when a side needs it."""

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
    """The devices that `--device cpu|cuda|auto` names: auto is every one present. Raises SideError."""
    if wanted == "cpu":
        return ["cpu"]
    present = import_torch().cuda.is_available()
    if wanted == "cuda" and not present:
        raise SideError("--device cuda: expected a CUDA device that torch can use, found none; try --device cpu")
    return (["cpu"] if wanted == "auto" else []) + (["cuda"] if present else [])


def seed_torch(seed: int) -> None:
    """As torch.manual_seed, which asks for a traceback each time where CUDA has not been started."""
    torch = import_torch()
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(seed)
