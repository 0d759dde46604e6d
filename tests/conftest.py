"""Fixtures for the tests of every folder."""

pytest_plugins = [
    "pytester",
    "tests.azurite",
    "tests.deploying",
    "tests.filing",
    "tests.left_out",
    "tests.outside",
    "tests.processes",
    "tests.refusing",
    "tests.scanning",
]
