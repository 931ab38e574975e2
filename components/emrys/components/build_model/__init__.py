"""Step: an untrained model from a schema."""
