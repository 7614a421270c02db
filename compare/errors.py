"""What is the user's to mend: each is printed as one line and ends a command with status 2. And all statuses."""

from enum import IntEnum


class Status(IntEnum):
    """What a command ends with; no other meaning is ever given to one of these numbers."""

    DONE = 0  # or all equal
    DIFFERENT = 1  # a difference was found
    BAD_INPUT = 2
    NOTHING_PROVEN = 3  # neither that all is equal nor that anything differs
    BROKEN = 70  # a mistake in Twofold itself, which is shown with its traceback
    DIVERGED = 4  # a training
    INTERRUPTED = 130  # by Ctrl-C; by SIGTERM 143, as shells have it
    UNREAD = 141  # whoever read the output has left


class BadInput(Exception):
    """Bad usage or bad input, in one line that says what was expected and what was found."""

    status = Status.BAD_INPUT  # of the command that it ends
