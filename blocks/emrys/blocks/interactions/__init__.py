"""How features are combined with each other."""
