"""A page in the browser: see a clip, judge it, change its grade by hand, and render it. `ui` is its extra."""
