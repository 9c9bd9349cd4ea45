"""Files of places and bed states, in and out."""
