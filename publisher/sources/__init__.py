"""Articles in: the folder as it is now, and hints that something in it has changed."""
