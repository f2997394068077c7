"""Frames with their masks: where they weigh, how they wait, and how they look when they are small."""
