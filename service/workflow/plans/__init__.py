"""Planning runs and a named human's word on each proposed move."""
