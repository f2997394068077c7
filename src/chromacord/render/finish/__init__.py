"""Finishing stages, which run after the grade; each works in the mask's box, extended by the stage's reach."""
