"""Code that is not ours: where its arrays stand, how it is called, and what of it is whose counterpart."""
