"""Graph to words: facts, promises, explanations and the reports that show them."""
