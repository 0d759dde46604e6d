"""The task hub: what a client may ask, and what is asked of storage."""
