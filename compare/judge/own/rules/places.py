"""Where in a user's own code something was raised."""

from pathlib import Path

from twofold.compare.judge.own.telling.verdict import Place

OURS = ("/judge/own/rules/", "/site-packages/", "<__array_function__", "/numpy/", "/torch/", "/copy.py")


def place_of(error: BaseException, step: int | None = None) -> Place:
    """The innermost line that is the user's own."""
    found, frame = Place(step=step), error.__traceback__
    while frame:
        code = frame.tb_frame.f_code
        if not any(part in code.co_filename for part in OURS):
            found = Place(code.co_filename, frame.tb_lineno, code.co_name, step=step)
        frame = frame.tb_next
    return found


def at(place: Place) -> str:
    return f"{Path(place.file).name}:{place.line}" if place.file else "a line that is not known"


def raised(error: BaseException) -> str:
    """What was raised, and by which of the user's lines, in one line."""
    place = place_of(error)
    return f"{type(error).__name__}: {' '.join(str(error).split())}{f' at {at(place)}' if place.file else ''}"
