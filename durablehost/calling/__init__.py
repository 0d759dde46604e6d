"""Calls the app's functions."""
