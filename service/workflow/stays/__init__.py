"""A stay from its first day: leave, discharge, and corrections of the past."""
