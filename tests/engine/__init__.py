"""The engine on a simulated platform, in virtual time."""
