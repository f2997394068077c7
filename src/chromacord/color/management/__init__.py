"""Colour as colour management has it: spaces by name, what files say of theirs, and scene-linear light."""
