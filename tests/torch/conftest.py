"""Have Triton's interpreter stand in for a missing GPU before any test imports a kernel."""

import torch_device  # noqa: F401
