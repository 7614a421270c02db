"""The layers, one topic a file."""
