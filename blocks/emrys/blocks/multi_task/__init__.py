"""Blocks for models with several tasks."""
