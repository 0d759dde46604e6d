"""Everything that touches the outside world, one module a thing acted on."""
