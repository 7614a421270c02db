"""What was found, in words: for the console, JUnit and the page."""
