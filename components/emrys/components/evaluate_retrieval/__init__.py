"""Step evaluate_retrieval: evaluates the recommendations of a retrieval model over the whole catalogue."""
