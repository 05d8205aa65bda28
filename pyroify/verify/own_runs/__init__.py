"""What the user's own commands tell: how his classes are built and called, how his tests end."""
