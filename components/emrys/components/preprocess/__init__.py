"""Step preprocess: fits the feature workflow on the train split and applies it to all splits."""
