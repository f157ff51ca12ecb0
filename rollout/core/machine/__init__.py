"""The state machine: one table, and the moves it names."""
