"""Lists of clips as input: folders, globs, manifests."""
