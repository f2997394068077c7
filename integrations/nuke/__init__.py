"""Nuke: a script with the grade under the matte, and a menu. Standard library only, because it runs inside Nuke."""
