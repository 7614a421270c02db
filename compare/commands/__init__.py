"""What the larger commands do, one a file; cli.py says how they are called."""
