"""The decision core: who may lie where, at what price, and which moves make a city fit.

Pure: no I/O, no clock, no database. ``service`` imports it, never the reverse.
"""
