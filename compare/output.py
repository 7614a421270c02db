"""JSON for programs: to a file, or alone on standard output."""

from pathlib import Path
from typing import Any

from twofold.compare.errors import BadInput
from twofold.compare.strict import dumps


def write_json(path: Path, content: Any) -> None:
    """To a file, or to standard output for "-"."""
    text = dumps(content, indent=1)
    if path == Path("-"):
        print(text)
        return
    try:
        path.write_text(text + "\n")
    except OSError as error:
        raise BadInput(f"{path}: expected a file to write to, found {error.strerror}") from error
