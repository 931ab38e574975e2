"""The promote step: what passed the gate becomes a version of the registry."""
