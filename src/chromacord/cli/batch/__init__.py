"""Many clips in one command."""
