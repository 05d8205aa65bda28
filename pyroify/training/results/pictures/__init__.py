"""What is drawn of a run; each picture has a title, and a sentence on how to read it."""
