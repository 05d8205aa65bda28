"""Text of declarations: names and imports of a file, statements, and the functions a file gets."""
