"""Step export_retrieval: a retrieval model as a Triton model repository that recommends items for raw queries."""
