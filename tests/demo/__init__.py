"""What the demo counts, and what makes it red."""
