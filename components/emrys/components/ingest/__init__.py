"""Step ingest: reads a data set and splits it into train, valid and test."""
