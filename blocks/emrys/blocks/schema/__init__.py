"""Schemas: creation and selection of columns, cardinalities, and JSON."""
