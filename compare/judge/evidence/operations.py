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
    from torch.utils._python_dispatch import TorchDispatchMode

    def shift(tensor: Any) -> Any:
        if tensor.dtype.itemsize == 2:
            return shift_half(tensor)
        array = tensor.detach().cpu().numpy()
        away = perturbed(array, seed)
        return tensor.new_tensor(np.subtract(away, array, out=np.zeros_like(array), where=np.isfinite(array)))

    def shift_half(tensor: Any) -> Any:
        """Of a bfloat16 or float16: NumPy lacks the one, and as integers their neighbours lie 1 apart."""
        array = tensor.detach().float().cpu().numpy()
        away = np.sign(np.abs(perturbed(array, seed)) - np.abs(array))
        away = np.where(np.isfinite(array), away, 0).astype(np.int16)
        bits = tensor.detach().contiguous().view(torch.int16)
        return (bits + torch.from_numpy(away).to(bits.device)).view(tensor.dtype) - tensor.detach()

    class Moving(TorchDispatchMode):
        def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            out = function(*args, **(kwargs or {}))
            if not isinstance(out, torch.Tensor) or not out.is_floating_point():
                return out
            alias = function._schema.returns[0].alias_info
            if alias is None:
                return out + shift(out)
            return out.add_(shift(out)) if alias.is_write else out

    return Moving()
