"""Maps of colour that are a few numbers."""
