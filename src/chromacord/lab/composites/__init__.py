"""Composites with a known truth: of footage, of photographs, of pictures that others recorded."""
