"""Configuration of the pipelines: parameters, images, resources, and reading and checking them."""
