"""`capcli desk`: the account full screen. Textual loads here and nowhere else."""
