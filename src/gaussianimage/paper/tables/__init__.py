"""The tables of the paper: its own numbers, and those of one's own results."""
