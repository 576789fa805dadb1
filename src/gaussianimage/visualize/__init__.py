"""Pictures of Gaussians as ellipses, and of differences between pictures."""
