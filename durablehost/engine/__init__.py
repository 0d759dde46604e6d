"""The work loop: takes work from the backend, runs it and commits the decisions."""
