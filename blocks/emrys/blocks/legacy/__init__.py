"""The first generation of the API: each name translates onto the second and warns `DeprecationWarning`."""
