"""Mutation testing of scratch: every place where one thing can be wrong is made wrong, and some check must notice."""
