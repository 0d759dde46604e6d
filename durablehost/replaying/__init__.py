"""Recorded histories, and what the orchestrators of today do with them."""
