"""The dashboard: the page at `/`, and what it asks for."""
