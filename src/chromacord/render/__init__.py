"""Apply a grade to full-size pixels inside the mask's box."""
