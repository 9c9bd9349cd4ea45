"""The emergency lane: medical care first, papers after; evacuation of a whole unit."""
