"""The table of truth: strangers' nets, one or more a style, right and wrong, and what a verdict has to say of each."""

from tests.own.case import Call, Truth
from tests.own.tables import convolution, dense, objects, recurrent, tensors

TRUTH: tuple[Truth, ...] = (*dense.TABLE, *objects.TABLE, *recurrent.TABLE, *tensors.TABLE, *convolution.TABLE)

__all__ = ["TRUTH", "Call", "Truth"]
