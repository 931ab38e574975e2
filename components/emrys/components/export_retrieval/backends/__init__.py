"""What Triton's Python backend runs of a retrieval ensemble: the same classes serve in process."""
