"""What lies between analysis and render: a colour transform over time, its file, and what other tools read of it."""
