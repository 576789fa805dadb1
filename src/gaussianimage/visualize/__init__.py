"""Pictures of Gaussians and of differences."""
