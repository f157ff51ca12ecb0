"""Azure Storage, played by Azurite on this machine."""
