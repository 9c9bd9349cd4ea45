"""Why the law lets somebody be in a bed, for how long, and who approved it."""
