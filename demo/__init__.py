"""The main job on real models: one good canary is promoted, one bad canary is rolled back."""
