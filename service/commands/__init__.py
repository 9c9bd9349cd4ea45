"""What the command line can do, a module per command: ``register(app)`` adds it."""
