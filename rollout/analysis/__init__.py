"""Counts in, verdict out: the statistics, which know nothing of rollouts."""
