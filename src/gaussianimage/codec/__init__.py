"""The `.gimg` codec: Gaussians to a file's bytes and back."""
