"""Top-k retrieval: candidate indexes, top-k layers and their output, and the seen items of a query.

This module imports nothing, so that `emrys.blocks.retrieval.seen_items` loads without TensorFlow.
"""
