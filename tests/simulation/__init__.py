"""Storms: the real engine, a lying queue, a slow platform, one virtual clock, one seed."""
