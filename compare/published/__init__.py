"""The figures that the sources printed, as data, and the runs that bring them out again on both sides."""
