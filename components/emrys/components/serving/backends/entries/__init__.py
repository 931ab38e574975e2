"""The `model.py` files of a model repository, which are copied into it unchanged."""
