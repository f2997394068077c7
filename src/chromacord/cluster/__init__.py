"""Clips, and chunks of clips, on a Ray cluster. The only package that imports ray."""
