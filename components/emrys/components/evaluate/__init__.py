"""Step evaluate: evaluates a ranking model on the test split."""
