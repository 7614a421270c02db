"""What is the user's to mend: each is printed as one line and ends a command with status 2. And all statuses."""

from enum import IntEnum


class Status(IntEnum):
    """What a command ends with; no other meaning is ever given to one of these numbers."""

    DONE = 0
    DIFFERENT = 1
    BAD_INPUT = 2
    NOTHING_PROVEN = 3
    DIVERGED = 4
    BROKEN = 70
    INTERRUPTED = 130
    UNREAD = 141
    TERMINATED = 143


MEANING = {
    Status.DONE: "all equal or done",
    Status.DIFFERENT: "a difference found and nothing else",
    Status.BAD_INPUT: "bad usage or bad input",
    Status.NOTHING_PROVEN: "nothing was proven",
    Status.DIVERGED: "a training diverged",
    Status.BROKEN: "a mistake in Twofold itself",
    Status.INTERRUPTED: "interrupted by Ctrl-C",
    Status.UNREAD: "the reader of the output left",
    Status.TERMINATED: "interrupted by SIGTERM",
}


class BadInput(Exception):
    """Bad usage or bad input, in one line that says what was expected and what was found."""

    status = Status.BAD_INPUT  # of the command that it ends
