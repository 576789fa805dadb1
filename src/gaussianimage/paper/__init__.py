"""The GaussianImage paper, reproduced: its recipe, its quantizers, its tables. Needs PyTorch."""
