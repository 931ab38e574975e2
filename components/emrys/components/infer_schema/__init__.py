"""The step infer_schema: the Merlin schema of the transformed data."""
