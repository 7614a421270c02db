"""Tests that share what takes long run in one process, and it is made once."""

import pytest


@pytest.mark.xdist_group("held")
def test_a_group_is_held_together(request: pytest.FixtureRequest) -> None:
    """pytest-xdist tells groups apart by names; where it cannot write them each process makes everything again."""
    if getattr(request.config.option, "loadgroup", False):
        assert request.node.nodeid.endswith("@held")
