"""Optical flow: where each pixel of one frame lies in another."""
