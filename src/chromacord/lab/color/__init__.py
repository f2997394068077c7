"""Colour functions on tensors: twins of `chromacord.color` with gradients, and what the main job does not need."""
