"""Step: how good the recommendations of a retrieval model are."""
