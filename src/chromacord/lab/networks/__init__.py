"""Networks that are too long for their method's file."""
