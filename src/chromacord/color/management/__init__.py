"""Colour management: named spaces, the spaces that files state, and scene-linear light."""
