"""Finds the outcome of requests whose answer was lost, from evidence at the broker. Sends nothing."""
