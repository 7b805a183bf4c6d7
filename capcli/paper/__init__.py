"""The paper broker: the real one's HTTP contract over a synthetic market and a local SQLite file."""
