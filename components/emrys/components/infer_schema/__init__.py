"""Step infer_schema: infers the Merlin schema of the transformed data."""
