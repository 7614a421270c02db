"""What each layer and loss of scratch takes, as data, and how both sides are tried on it."""
