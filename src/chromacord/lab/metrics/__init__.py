"""How near a result is to the truth, and how steady."""
