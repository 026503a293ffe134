"""Convolutions with the fastest gradient for the platform, and XLA's own as the reference.

Images are [n, height, width, channels], kernels [k, k, in, out] ([k, k, 1, channels] for a
depthwise one); padding is SAME as XLA defines it, for any kernel, stride and size.
"""

from search.ops.normalise import ACTIVATE as ACTIVATE
from search.ops.normalise import EPSILON as EPSILON
from search.ops.normalise import moments as moments
from search.ops.normalise import normalise as normalise
from search.ops.normalise import normalise_backward as normalise_backward
from search.ops.normalise import pool as pool
from search.ops.normalise import scaled as scaled
from search.ops.table import Convolutions as Convolutions
from search.ops.table import convolutions as convolutions
