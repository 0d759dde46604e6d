"""Fixtures for the tests of every folder."""

from tests.bound_settings import set_bound_settings

set_bound_settings()

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
