"""The styles' nets with their arrays kept otherwise."""
