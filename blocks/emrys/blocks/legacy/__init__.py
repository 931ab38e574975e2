"""First generation of the API, deprecated: each name is a translation onto the second generation."""
