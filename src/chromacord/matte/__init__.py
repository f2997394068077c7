"""Mattes for clips that have none: by a screen's colour, a clean plate, a box or clicks, a model, or alpha."""
