"""How fast durablehost is, beside its peers in the same run: `python -m bench`."""
