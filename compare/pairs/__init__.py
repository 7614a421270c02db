"""The table of pairs: every file here, one a system, and in it PAIRS; a system's variants are entries of their own."""

from pathlib import Path

from twofold.compare.tables import look

PAIRS, FILES = look(__name__, Path(__file__).parent)

# The systems themselves, of which the other entries are variants: what a report shows unless pairs are named.
MAIN = tuple(name for name, pair in PAIRS.items() if pair.variant_of is None)
