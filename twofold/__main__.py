"""`python -m twofold COMMAND` is the same as `twofold COMMAND`."""

from twofold.compare.cli import main

main()
