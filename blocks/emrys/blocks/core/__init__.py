"""The base class of blocks, and blocks for composition, selection and aggregation."""
