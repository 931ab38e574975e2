"""Models, artifacts and a registry that version 0.1.0 wrote, which every later version must read with equal results."""
