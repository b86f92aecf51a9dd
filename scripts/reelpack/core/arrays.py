"""Names for arrays that pass between rooms."""

import numpy as np
from numpy.typing import NDArray

# What a decoder gives, uint8[H, W, 3] RGB, or several of one size, uint8[N, H, W, 3].
Frame = NDArray[np.uint8]
