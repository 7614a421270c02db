"""Which layout is meant, decided by values: one of torch's operations after the other, so that candidates add up."""
