"""Format records as tables, charts and pages."""
