"""The function app under Microsoft's own runtime: how it is indexed, and what it answers."""
