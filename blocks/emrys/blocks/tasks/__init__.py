"""The first generation of outputs, as translations onto the second."""
