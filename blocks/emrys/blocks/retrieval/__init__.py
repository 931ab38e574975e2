"""Retrieval: encoders, indexes of candidates, and the items that a query has seen.

Nothing is imported here: `emrys.blocks.retrieval.seen_items` starts without TensorFlow.
"""
