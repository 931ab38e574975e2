"""Where models that passed the gate are kept, and which of them is in production."""
