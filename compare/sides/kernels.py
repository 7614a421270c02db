"""What is seen to before torch's functions reach the kernels of a device: indices in range, recurrence in full.

cuDNN's recurrent layers have a tanh of their own, which in float32 is off by up to 126 units in the last place (cuDNN
9.19 on an H200; torch.tanh there by 1.7). They go back in training mode alone, and want their weights in one piece of
memory. Without cuDNN torch computes the same steps by its own kernels, with all digits.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from twofold.compare.sides.devices import import_torch
from twofold.compare.sides.ranges import must_lie_within, table


def carefully(device: str) -> AbstractContextManager[Any]:
    """While it lasts torch's functions are looked at before a device's kernels run; the CPU's are as they are."""
    if device == "cpu":
        return nullcontext()
    from torch.overrides import TorchFunctionMode

    torch = import_torch()
    indexed, recurrent = table(), (torch.lstm, torch.gru, torch.rnn_tanh, torch.rnn_relu)

    class Careful(TorchFunctionMode):
        def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if function in indexed:
                must_lie_within(function.__name__, *indexed[function](*args, **(kwargs or {})))
            with without_cudnn() if function in recurrent else nullcontext():
                return function(*args, **(kwargs or {}))

    return Careful()


@contextmanager
def without_cudnn() -> Iterator[None]:
    cudnn = import_torch().backends.cudnn
    kept = cudnn.enabled
    cudnn.enabled = False
    try:
        yield
    finally:
        cudnn.enabled = kept
