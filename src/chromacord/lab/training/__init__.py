"""Training: the loop, recipes, checkpoints and logs."""
