"""A page in the browser: view a clip, adjust its grade, and render it. `ui` is its extra."""
