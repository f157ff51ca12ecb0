"""What a rollout costs: counted on the real engine in virtual time, priced from one file."""
