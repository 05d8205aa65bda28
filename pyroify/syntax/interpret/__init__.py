"""Abstract interpretation of a function body: what its expressions and statements make."""
