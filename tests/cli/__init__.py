"""The command line against a small real HTTP server."""
