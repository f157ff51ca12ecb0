"""Rotations at work: keys are read as fingerprints, decided on, and replaced."""
