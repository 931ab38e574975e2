"""Transformers as encoders of sequences."""
