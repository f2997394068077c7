"""What needs torch, and what the main job must never import."""
