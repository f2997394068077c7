"""Analysis: sample a clip's frames, find its shots and decide its grade."""
