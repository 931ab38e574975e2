"""Step export_ensemble: a trained model and its workflow as a Triton model repository that answers raw rows."""
