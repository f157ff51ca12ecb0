"""Scripts that drive the emulator with Microsoft's clients; they run in `.venv-sdk`."""
