"""Tables, engine, the embedded server, claims and the event log."""
