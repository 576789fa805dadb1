"""Where the kernels' tests run: on the GPU where there is one, else in Triton's interpreter.

Triton looks at the variable when a kernel's module is imported, so this comes first.
"""

import os

import torch

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
if DEVICE == "cpu":
    os.environ["TRITON_INTERPRET"] = "1"
