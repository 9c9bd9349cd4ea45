"""Treatment by consent: given, refused, repeated, taken back, run out."""
