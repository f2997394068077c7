"""Grades: colour transforms over time, their file format, and exports for other tools."""
