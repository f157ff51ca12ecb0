"""What a policy would see and decide, without touching an endpoint: plans, records and replays."""
