"""Data sets that need no file: drawn, cut from Python's own documentation, or generated; always the same for a seed."""
