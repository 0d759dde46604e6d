"""Decides: history and events in, decisions out; no I/O."""
