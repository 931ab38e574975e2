"""What a model reads: embedding tables and continuous features."""
