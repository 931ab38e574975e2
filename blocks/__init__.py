"""Blocks of recommender models, on Keras 3 and TensorFlow."""
