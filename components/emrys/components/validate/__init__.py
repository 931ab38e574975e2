"""Step validate: checks the raw rows for anomalies, drift and leaks."""
