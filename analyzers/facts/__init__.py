"""Facts about a net: one question a file, each answer with its convention."""
