"""Commands for comparing and training methods."""
