"""The whole way on Azure's own code: the deployed package, Microsoft's runtime, real storage."""
