"""The kinds of edit of a file, and which a class or function needs."""
