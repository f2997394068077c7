"""Lists of clips as people have them: folders, globs, manifests."""
