"""Transfers: approved, accepted, escorted, handed over; and the way back."""
