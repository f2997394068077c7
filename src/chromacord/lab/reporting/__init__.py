"""What becomes of records: tables, charts and pages."""
