"""Old Pyro code to declarations."""
