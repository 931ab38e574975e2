"""Step gate: decides whether a model is good enough to be exported and promoted."""
