"""Methods compared on data sets."""
