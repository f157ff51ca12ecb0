"""The data plane: processes, routing, limits and copies."""
