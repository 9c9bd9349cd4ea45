"""Who is calling, what they may do where, and what is hidden from whom."""
