"""What is the user's to mend: each is printed as one line and ends a command with status 2."""


class BadInput(Exception):
    """Bad usage or bad input, in one line that says what was expected and what was found."""

    status = 2  # of the command that it ends
