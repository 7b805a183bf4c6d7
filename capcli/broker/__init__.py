"""The adapter to Capital.com's REST API: wire structs, transport, session, limits."""
