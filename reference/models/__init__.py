"""The systems' models, one a file. scratch/models holds the same names in NumPy."""
