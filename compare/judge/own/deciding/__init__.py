"""Who is wrong and why: slopes, conventions, relations."""
