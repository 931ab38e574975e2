"""Step promote: adds a model that passed the gate to the registry and puts it into production."""
