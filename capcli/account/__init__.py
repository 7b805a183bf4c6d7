"""What is in the account: positions, history, exposure, status and preferences."""
