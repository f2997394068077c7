"""The arguments and options of commands that harmonize clips."""
