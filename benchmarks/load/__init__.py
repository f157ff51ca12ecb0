"""What one event, one sweep and one month cost in the embedded store, by live rollouts."""
