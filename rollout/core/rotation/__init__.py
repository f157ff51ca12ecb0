"""The second state machine of an endpoint: its keys are replaced without a failed request."""
