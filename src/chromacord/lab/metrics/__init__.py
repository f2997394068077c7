"""Accuracy and temporal stability."""
