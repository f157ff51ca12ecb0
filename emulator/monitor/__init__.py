"""Metrics and logs of the answers the gateway gave."""
