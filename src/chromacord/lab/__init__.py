"""Research code: everything that needs torch. The main job must not import it."""
