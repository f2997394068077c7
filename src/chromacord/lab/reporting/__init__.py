"""Tables, charts and pages from records."""
