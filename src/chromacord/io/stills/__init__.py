"""Still pictures, and sequences of them."""
