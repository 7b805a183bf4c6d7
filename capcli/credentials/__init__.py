"""Where credentials come from (environment, keychain) and where session tokens are stored."""
