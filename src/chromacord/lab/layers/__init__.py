"""Blocks that networks are built of; what one method alone uses, and is short, stays in that method's file."""
