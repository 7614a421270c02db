"""The device that needs no hardware, for the tests beside this file.

It is registered while tests are collected, before any of them runs: autograd begins a thread for each device when it
first goes back, and has none for a device that comes later.
"""

import os

import pytest

from tests.device import kernels, standin

REQUIRED = "TWOFOLD_STANDIN"  # set to "required" where a test that is skipped for want of the device is to fail


def lacking() -> str:
    """What this torch has not that the device needs; "" where it has it."""
    from torch.utils import backend_registration

    there = hasattr(backend_registration, "_setup_privateuseone_for_python_backend")
    return "" if there else f"this torch has no device written in Python: {standin.NEEDS}"


if not lacking():
    kernels.register()


@pytest.fixture(autouse=True)
def device() -> str:
    """Its name."""
    if reason := lacking():
        if os.environ.get(REQUIRED) == "required":
            pytest.fail(reason)
        pytest.skip(reason)
    return standin.NAME
