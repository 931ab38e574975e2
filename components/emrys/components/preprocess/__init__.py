"""The step preprocess: fits the workflow on the train split and applies it to all splits."""
