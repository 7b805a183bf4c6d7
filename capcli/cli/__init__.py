"""The command line. `main` builds nothing; `run` is the only place where errors become exit codes."""
