"""Files that libav reads and writes."""
