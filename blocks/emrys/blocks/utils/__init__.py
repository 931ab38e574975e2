"""Utilities: the registry of names, files, keyword arguments, timing."""
