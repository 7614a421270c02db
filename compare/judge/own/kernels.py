"""Both sides torch: an autograd.Function or a module with its own backward against a plain composition."""

from typing import Any

from twofold.compare.judge.own.call import Call
from twofold.compare.judge.own.verdict import Verdict
from twofold.compare.sides.foreign.calls import is_function_of_torch
from twofold.compare.sides.foreign.trees import is_tensor


def is_kernel(scratch: Any, data: tuple[Any, ...]) -> bool:
    return is_function_of_torch(scratch) or any(is_tensor(array) and array.requires_grad for array in data)


def judge_kernel(call: Call) -> Verdict:
    raise NotImplementedError
