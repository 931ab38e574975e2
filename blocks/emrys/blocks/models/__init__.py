"""Whole models: the base class and the architectures."""
