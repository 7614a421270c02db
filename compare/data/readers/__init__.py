"""The file formats: every file is data, and what is wrong with one is said in one line."""
