"""The controller as a process, against the emulator with real scoring processes, over HTTP only."""
