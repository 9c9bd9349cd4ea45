"""A synthetic network written into an empty database."""
