"""What a graph can be turned into: text that other programs read."""
