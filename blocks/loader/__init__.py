"""Batches of tensors out of Parquet, in bounded memory."""

from blocks.loader.embedding_operator import EmbeddingOperator
from blocks.loader.loader import Loader
from blocks.loader.sample_batch import sample_batch

__all__ = ["EmbeddingOperator", "Loader", "sample_batch"]
