"""What changes the account: preview, execute, amend, close, cancel, flatten. Each is sent at most once."""
