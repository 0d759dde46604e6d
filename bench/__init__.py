"""Measures durablehost, and durabletask for comparison: `python -m bench`."""
