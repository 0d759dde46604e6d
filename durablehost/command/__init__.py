"""The command line: puts durablehost together, prints, reloads."""
