"""How a posterior is found: guides, objectives, loops, chains, ensembles, and when they end."""
