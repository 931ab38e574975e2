"""Batches of tensors out of Parquet, in bounded memory."""

from blocks.loader.loader import Loader
from blocks.loader.sample_batch import sample_batch

__all__ = ["Loader", "sample_batch"]
