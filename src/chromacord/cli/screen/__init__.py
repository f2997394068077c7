"""The command line's output and exit codes."""
