"""The judge, on counts made by hand, by Hypothesis, and by exact enumeration."""
