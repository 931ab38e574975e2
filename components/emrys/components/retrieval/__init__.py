"""Retrieval room: the catalogue, the queries, and the search for the best items of a query."""
