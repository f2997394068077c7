"""Measure components: methods, optical flow, cut detection."""
