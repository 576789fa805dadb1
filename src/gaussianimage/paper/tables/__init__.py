"""The tables of the paper, with published and measured numbers."""
