"""Whether an installation is well, and what is said when it is not."""
