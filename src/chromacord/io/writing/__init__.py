"""Outputs that appear whole or not at all, under names that are safe to take."""
