"""Compare methods on data sets."""
