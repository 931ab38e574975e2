"""Steps of an ensemble that Triton's Python backend runs; the same classes run in process."""
