"""The files that `twofold new` writes."""
