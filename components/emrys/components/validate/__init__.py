"""The step validate: whether the data of a run are fit to be learned from."""
