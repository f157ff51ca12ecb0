"""In which order all tests run."""

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long begins first, so that at the end no worker waits for the other."""
    items.sort(key=lambda item: item.get_closest_marker("journey") is None)
