"""Frames with their masks: bounding boxes, packing and proxies."""
