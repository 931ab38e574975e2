"""The step ingest: a data set becomes rating logs in three parts."""
