"""The HTTP surfaces: they translate and hand over."""
