"""What the steps of the retrieval pipeline share: the catalogue, the queries, the search and its measures."""
