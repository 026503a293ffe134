"""What every test stands on."""

import os
import tempfile

from hypothesis import settings

# Before anything is imported: tests read and write no cache of the user's.
os.environ.setdefault(
    "CONVBUDGET_CACHE", os.path.join(tempfile.gettempdir(), f"convbudget-tests-{os.getuid()}")
)
os.environ.setdefault("JAX_PLATFORMS", "cpu")
# Implicit changes of dtype are refused, in every thread and process that compiles.
os.environ.setdefault("JAX_NUMPY_DTYPE_PROMOTION", "strict")

# Machines are shared, and no test may depend on how fast one is.
settings.register_profile("convbudget", deadline=None)
settings.load_profile("convbudget")
