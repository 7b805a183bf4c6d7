"""Why does it not work? The checks and their report. None of them trades or prompts."""
