"""The runs: everything that is measured."""
