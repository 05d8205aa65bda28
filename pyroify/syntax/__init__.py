"""The source of one file as frozen facts; no other file is read, and nothing is decided."""
