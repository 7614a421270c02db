"""A watcher over hand-written code: what its lines bind, what torch computes, and where the two part."""
