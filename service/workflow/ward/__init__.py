"""The ward's day: bed to bed, the roll count, what differs, who comes and goes."""
