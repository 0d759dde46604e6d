"""Decides what happens next: history and new events in, a decision out. No I/O."""
