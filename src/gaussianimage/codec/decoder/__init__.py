"""From the bytes of a file to pixels or Gaussians."""
