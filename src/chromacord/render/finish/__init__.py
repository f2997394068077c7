"""What a compositor does after colour: stages that run on a rendered frame, in the mask's box grown by their reach."""
