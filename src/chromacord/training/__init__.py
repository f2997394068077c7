"""Training: a recipe of stages, one loop for all of them, and checkpoints that a killed run goes on from."""
