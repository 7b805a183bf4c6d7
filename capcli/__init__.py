"""Trade a Capital.com account from a terminal, from cron and from an AI assistant."""

__version__ = "0.1.0"
