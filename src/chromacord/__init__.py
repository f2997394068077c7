"""Video harmonization: make a pasted foreground look as if it had been filmed with its background."""
