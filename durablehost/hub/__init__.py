"""The task hub: its client, its history events, and the interface to its storage."""
