"""The systems' models, one a file. reference/models holds the same names in torch.nn."""
