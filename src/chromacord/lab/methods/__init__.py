"""The literature's methods, in torch."""
