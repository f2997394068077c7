"""Full-size pixels: a grade applied inside the mask's box."""
