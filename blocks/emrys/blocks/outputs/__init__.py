"""Model outputs: predictions with their default losses, metrics and sample weights."""
