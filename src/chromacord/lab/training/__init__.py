"""How a network is trained, whatever it learns."""
