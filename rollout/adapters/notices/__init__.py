"""Tells people things where they are: Teams, Slack, GitHub, or any webhook."""

from rollout.adapters.notices.places import PlacesByName

__all__ = ["PlacesByName"]
