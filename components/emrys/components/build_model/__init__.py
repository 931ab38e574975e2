"""Step build_model: builds an untrained model from a schema."""
