"""Reads an app: loads it, indexes its functions, explains what the host would refuse."""
