"""One side trained by script: the loop, its checkpoints, sweeps and metrics."""
