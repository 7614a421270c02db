"""What torch is told before it computes: float32 with all of its digits, and on a device the same bits each time."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple

from twofold.compare.sides.devices import SideError, import_torch
from twofold.compare.sides.kernels import carefully

# Where torch.backends keeps what a float32 product may be computed in, and what means all of its digits there: TF32
# keeps ten bits of each factor, bfloat16 seven. The older interface and the newer one, of which a torch may lack some.
NEWER = ("", "cuda.matmul", "cudnn", "cudnn.conv", "cudnn.rnn", "mkldnn", "mkldnn.matmul", "mkldnn.conv", "mkldnn.rnn")
FULL: tuple[tuple[str, str, Any], ...] = (
    ("cuda.matmul", "allow_tf32", False),
    ("cudnn", "allow_tf32", False),
    *((place, "fp32_precision", "ieee") for place in NEWER),
)


class Setting(NamedTuple):
    """One of torch's settings, and its value that means in full."""

    name: str
    owner: Any
    entry: str
    value: Any

    def now(self) -> Any:
        """None where torch says that older and newer interfaces were used by turns, and so not what is set."""
        try:
            return getattr(self.owner, self.entry)
        except RuntimeError:
            return None

    @property
    def full(self) -> bool:
        return bool(self.now() == self.value)


@lru_cache(maxsize=1)
def settings() -> tuple[Setting, ...]:
    """Those that this torch has."""
    backends = import_torch().backends
    found = []
    for place, entry, value in FULL:
        with suppress(AttributeError):
            owner = attrgetter(place)(backends) if place else backends
            if entry == "allow_tf32" or hasattr(owner, entry):
                found.append(Setting(".".join(filter(None, ("torch.backends", place, entry))), owner, entry, value))
    return tuple(found)


def in_full() -> None:
    """Turns TF32 and its like off by every interface; raises SideError where one of them stays on."""
    if all(setting.full for setting in settings()):
        return
    import_torch().set_float32_matmul_precision("highest")  # an older word for the same
    for setting in settings():
        setattr(setting.owner, setting.entry, setting.value)
    if on := [setting for setting in settings() if not setting.full]:
        raise SideError(f"float32 with all of its digits: expected {on[0].name} to be {on[0].value}, found another")


@contextmanager
def precision_kept() -> Iterator[None]:
    """Afterwards torch is told what it was told before, as by someone who calls this."""
    torch = import_torch()
    kept = [setting._replace(value=value) for setting in settings() if (value := setting.now()) is not None]
    word = None
    with suppress(RuntimeError):  # where older and newer interfaces were used by turns
        word = torch.get_float32_matmul_precision()
    try:
        yield
    finally:
        if word is not None:
            torch.set_float32_matmul_precision(word)
        for setting in kept:
            if not setting.full:
                setattr(setting.owner, setting.entry, setting.value)


def begin_to_go_back(device: str) -> None:
    """Lets autograd's own thread for the device begin with a product, for cuBLAS warns where it has to begin."""
    torch = import_torch()
    with torch.enable_grad():
        one = torch.ones(1, device=device, requires_grad=True)
        (one * one).sum().backward()


@contextmanager
def repeatable(device: str) -> Iterator[None]:
    """While it lasts torch takes on a device what gives the same bits again, wherever it has such, and all digits.

    What has none goes on, for it is asked whether it repeats; what is not the CPU's alone is put back afterwards.
    """
    if device == "cpu":
        yield
        return
    torch = import_torch()
    cudnn, memory = torch.backends.cudnn, torch.utils.deterministic
    asked = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    kept = cudnn.benchmark, cudnn.deterministic, memory.fill_uninitialized_memory
    cudnn.benchmark, cudnn.deterministic, memory.fill_uninitialized_memory = False, True, False
    torch.use_deterministic_algorithms(True, warn_only=True)
    begin_to_go_back(device)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*does not have a deterministic implementation")
            with carefully(device):
                yield
    finally:
        torch.use_deterministic_algorithms(asked[0], warn_only=asked[1])
        cudnn.benchmark, cudnn.deterministic, memory.fill_uninitialized_memory = kept
