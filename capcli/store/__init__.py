"""The journal: previews, attempts and events in SQLite, and the account lock."""
