"""Runs of the reference in which the result of every single operation is moved by one unit in the last place.

What a module gives is moved everywhere (rounding.py). Far from ordinary numbers that is too little: where dh - dh z
cancels, the rounding of dh z decides, and no module gives that.
"""

from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from twofold.compare.judge.evidence.rounding import perturbed


def all_moved(seed: int) -> AbstractContextManager[Any]:
    """While it lasts, also in backward passes, what torch's operations compute is moved; views stay."""
    import torch

    from twofold.compare.sides.dispatch import DispatchMode

    def shift(tensor: Any) -> Any:
        half = tensor.dtype.itemsize == 2  # which NumPy has not: its unit is so many of float32's
        array = (tensor.float() if half else tensor).detach().cpu().numpy()
        units = torch.finfo(tensor.dtype).eps / np.finfo(array.dtype).eps
        away = perturbed(array, seed)
        return tensor.new_tensor(units * np.subtract(away, array, out=np.zeros_like(array), where=np.isfinite(array)))

    class Moving(DispatchMode):
        def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            out = function(*args, **(kwargs or {}))
            if not isinstance(out, torch.Tensor) or not out.is_floating_point():
                return out
            alias = function._schema.returns[0].alias_info
            if alias is None:
                return out + shift(out)
            return out.add_(shift(out)) if alias.is_write else out

    return Moving()
