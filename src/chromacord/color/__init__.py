"""Colour: pure functions and colour transforms. No files, no devices, no state."""
