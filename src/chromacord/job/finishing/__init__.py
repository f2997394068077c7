"""Finishing of a clip: the requested stages, and the measurements they need."""
