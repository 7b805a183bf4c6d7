"""Use cases: they return frozen results and never print."""
