"""A command as a user calls it, in this process."""

import sys

import pytest

from twofold.compare.cli import main


def twofold(*arguments: object) -> int:
    """Its exit status."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["twofold", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit:
            main()
    return int(exit.value.code or 0)
