"""Models: the base class `Model`, and architectures for ranking and retrieval."""
