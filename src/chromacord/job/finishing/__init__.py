"""Finishing of a clip: what is asked for, and what must be measured for it."""
