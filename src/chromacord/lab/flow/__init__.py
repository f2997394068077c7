"""Optical flow: the displacement of each pixel between two frames."""
