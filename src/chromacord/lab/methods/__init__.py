"""The literature's methods, as torch networks."""
