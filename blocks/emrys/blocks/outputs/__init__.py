"""What a model predicts, with its losses and metrics."""
