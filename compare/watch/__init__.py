"""What hand-written code does line by line, and which line of it is wrong."""
