"""Code that is not ours before the judge: anybody's functions, objects, rules and training loops against torch."""
