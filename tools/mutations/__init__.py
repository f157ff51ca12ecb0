"""Faults planted in the controller on purpose, to see that the storms find them."""
