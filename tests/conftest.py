"""Fixtures for the tests of every folder."""

pytest_plugins = ["tests.azurite", "tests.outside", "tests.processes"]
