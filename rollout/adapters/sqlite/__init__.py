"""State, queue and samples in one SQLite file, for one machine."""
