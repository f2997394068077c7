"""Network blocks shared by several methods; a short block used by one method stays in its file."""
