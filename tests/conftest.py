"""Fixtures for the tests of every folder."""

pytest_plugins = [
    "tests.azurite",
    "tests.deploying",
    "tests.filing",
    "tests.outside",
    "tests.processes",
    "tests.scanning",
]
