"""Where a difference begins, which side is wrong, and what the mistake looks like."""
