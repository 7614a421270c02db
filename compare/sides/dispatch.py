"""A mode that sees torch's operations. Importing this imports torch."""

import sys

from torch.utils._python_dispatch import TorchDispatchMode


class DispatchMode(TorchDispatchMode):
    """Torch hides a mode from its compiler and imports that for it, a second: here only where it is in use."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return "torch._dynamo" in sys.modules
