"""Loading Parquet data as batches of tensors, in bounded memory."""

from emrys.blocks.loader.embedding_operator import EmbeddingOperator
from emrys.blocks.loader.loader import Loader
from emrys.blocks.loader.sample_batch import sample_batch

__all__ = ["EmbeddingOperator", "Loader", "sample_batch"]
