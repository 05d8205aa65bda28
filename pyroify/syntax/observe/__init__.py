"""What a function does with what hangs below ``self``: reads, writes, freezes, slices."""
