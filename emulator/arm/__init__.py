"""The control plane: resources, operations and their JSON."""
