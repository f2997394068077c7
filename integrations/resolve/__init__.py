"""DaVinci Resolve: set the grade of the current clip. Standard library only, because any Python may run it."""
