"""Where rows come from: files, loaders, streams, the project's own code."""
