"""Layers composited over each other, and mattes read from planes."""
