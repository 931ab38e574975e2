"""Step export_ensemble: a ranking model and its workflow as a Triton model repository that scores raw rows."""
