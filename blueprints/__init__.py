"""The patterns, one module each: starters, orchestrator, entity, top to bottom."""
