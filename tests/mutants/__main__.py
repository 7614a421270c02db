"""python -m mutants [WORD ...]: every file of scratch, or those whose path contains one of the words."""

import sys

from .run import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
