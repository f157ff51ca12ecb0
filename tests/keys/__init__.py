"""Rotations at work, on fakes."""
