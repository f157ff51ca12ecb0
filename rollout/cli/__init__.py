"""The operator's commands: a client of the HTTP API, and `up`, which starts a controller here."""
