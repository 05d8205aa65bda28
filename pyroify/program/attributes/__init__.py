"""What else becomes of attributes: second names, ties, freezing, what others put there."""
