"""The page of a user's own pair."""
