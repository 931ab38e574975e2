"""Step train: fits a model on the train split, with early stopping on the valid split."""
