"""Convolutions with the fastest gradient for the platform, and XLA's own as the reference.

Images are [n, height, width, channels], kernels [k, k, in, out] ([k, k, 1, channels] for a
depthwise one); padding is SAME as XLA defines it, for any kernel, stride and size.
"""

from search.engine.ops.choice import Operations as Operations
from search.engine.ops.choice import operations as operations
from search.engine.ops.normalise import ACTIVATE as ACTIVATE
from search.engine.ops.normalise import EPSILON as EPSILON
from search.engine.ops.normalise import pool as pool
