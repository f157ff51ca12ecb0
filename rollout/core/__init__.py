"""What a rollout is and what it does next: values and one table, no input or output."""
