"""Use cases: one function, one transaction. Sync functions over a SQLAlchemy connection."""
