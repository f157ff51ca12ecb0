"""One contract test per port, run on every implementation, and what is theirs alone."""
