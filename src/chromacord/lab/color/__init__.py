"""Colour functions on tensors: differentiable twins of `chromacord.color`, and functions that only research needs."""
