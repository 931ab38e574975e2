"""The evaluate step: how good the model is, beside what it has to beat."""
