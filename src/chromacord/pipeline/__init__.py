"""From frames to a grade (pass 1) and from a grade to frames (pass 2)."""
