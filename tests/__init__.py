"""What is promised, and the proof of it."""
