"""Composites with known ground truth, made from footage or photographs, or recorded by others."""
