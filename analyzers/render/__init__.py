"""Reports as text: one view a file."""
