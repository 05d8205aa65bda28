"""What the spec makes of each parameter, which classes are converted, what is declared."""
