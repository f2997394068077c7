"""Network blocks that several methods share; short blocks of one method stay in its file."""
