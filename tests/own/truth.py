"""The tables of truth: strangers' nets, one or more a style, right and wrong, and what a verdict has to say of each."""

from tests.own.case import Call, Truth
from tests.own.tables import (
    convolution,
    dense,
    layouts,
    modules,
    mutations,
    objects,
    recurrent,
    special,
    strangers,
    tensors,
    updates,
    written,
)

TABLES = dense, convolution, objects, recurrent, tensors, modules, updates, strangers, mutations
TRUTH: tuple[Truth, ...] = tuple(truth for table in TABLES for truth in table.TABLE)
LAYOUTS: tuple[Truth, ...] = tuple(truth for table in (layouts, written, special) for truth in table.TABLE)

__all__ = ["LAYOUTS", "TRUTH", "Call", "Truth"]
