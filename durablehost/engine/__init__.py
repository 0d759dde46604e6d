"""Runs the hub's work: takes it from the backend, has it done, commits what came of it."""
