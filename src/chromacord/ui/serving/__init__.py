"""What the page asks of the server, and who may ask it."""
