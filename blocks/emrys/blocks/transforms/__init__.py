"""Layers that turn tensors into others, most of them without weights."""
