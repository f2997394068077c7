"""Commands for those who compare and train methods."""
