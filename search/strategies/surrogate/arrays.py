"""Types of the surrogate's arrays; shapes are written beside each."""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
# Half the bytes to copy for each proposal, and more precise than any measured accuracy.
Float32Array = NDArray[np.float32]
IndexArray = NDArray[np.intp]
