"""Model registry: versions of models that passed the gate, and a pointer to the version in production."""
