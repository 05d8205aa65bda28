"""Predict how far diabetes has progressed after one year."""
