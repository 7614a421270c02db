"""Small edits of one statement, tried in memory: which of them makes both sides agree."""
