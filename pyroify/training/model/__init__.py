"""The network as a probabilistic model: its sites, outputs, likelihoods, faults."""
