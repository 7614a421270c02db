"""Both sides on the same numbers: what stands for what, which tensor plays which part, and the runs."""
