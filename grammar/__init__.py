"""Text to tree: the `.nn` language, its parser, and the diagnostics that every room speaks in."""
