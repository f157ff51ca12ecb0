"""Plays Azure Machine Learning's online endpoints on one machine."""
