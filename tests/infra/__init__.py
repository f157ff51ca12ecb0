"""What is deployed, checked without a compiler and without Azure."""
