"""Fitting Gaussians to a picture."""
