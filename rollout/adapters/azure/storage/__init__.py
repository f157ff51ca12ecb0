"""State, samples and policies in one Azure storage account, opened by the app's identity."""
