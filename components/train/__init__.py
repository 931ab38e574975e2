"""Step: training a model."""
