"""Readers of logs: Parquet, CSV, JSON lines, MovieLens and synthetic ones, behind one small interface."""
