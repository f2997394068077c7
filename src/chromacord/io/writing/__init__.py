"""Atomic outputs: complete files under safe names, or none."""
