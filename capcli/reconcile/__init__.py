"""What became of a request whose answer was lost, from evidence at the broker. Sends nothing."""
