"""The lints, one a file. A file here is all it takes to be one; nothing else names it."""
