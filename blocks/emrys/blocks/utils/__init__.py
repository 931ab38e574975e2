"""Small tools without a family of their own: names, files, keyword arguments, time."""
