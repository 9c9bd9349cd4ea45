"""The HTTP API, a module per resource: parse, call one use case, answer.

A module here that has a ``router`` (made by ``service.api.calls.resource``) is served; one that
has ``serving(state)``, an async context manager, is entered while the process serves.
"""
