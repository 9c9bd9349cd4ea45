"""``rehab-beds tour``: one night in the demo city, played through the API and explained."""

from service.commands.tour.command import register

__all__ = ["register"]
