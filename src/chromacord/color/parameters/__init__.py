"""Colour maps with few parameters."""
