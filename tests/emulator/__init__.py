"""The emulator, by value and over HTTP with real scoring processes."""
