"""Mattes for clips that have none: by a screen's colour, a clean plate, a box that is followed, or a clip's alpha."""
