"""The `model.py` files of a repository, copied into it as they stand."""
