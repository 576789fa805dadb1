"""The native module's codes of the types of pixels that a file decodes to."""

import numpy as np

PIXEL_KINDS = {np.dtype(np.float32): 1, np.dtype(np.uint8): 2, np.dtype(np.uint16): 3}
