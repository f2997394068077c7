"""Networks too long for their method's file."""
