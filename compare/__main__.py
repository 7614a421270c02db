"""`python -m compare COMMAND` is the same as `twofold COMMAND`."""

from compare.cli import main

main()
