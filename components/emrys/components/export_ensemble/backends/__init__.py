"""What Triton's Python backend runs: the same classes serve in process."""
