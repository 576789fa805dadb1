"""The paper's models as PyTorch modules."""
