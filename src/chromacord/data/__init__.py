"""Clips to work with: samples that are made, and data sets."""
