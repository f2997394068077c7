"""Layers laid over each other, and mattes read out of planes."""
