"""Implicit neural representations: the networks that the paper compares with."""
