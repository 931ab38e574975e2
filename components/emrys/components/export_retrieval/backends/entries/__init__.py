"""The `model.py` files of a retrieval repository, copied into it as they stand."""
