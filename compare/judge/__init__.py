"""The judge: what is equal, where two sides part, and which of them is wrong."""
