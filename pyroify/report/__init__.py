"""What a run has to say, and one renderer per format."""
