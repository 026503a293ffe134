"""What every test stands on."""

import os
import tempfile

# Before anything is imported: tests read and write no cache of the user's.
os.environ.setdefault(
    "CONVBUDGET_CACHE", os.path.join(tempfile.gettempdir(), f"convbudget-tests-{os.getuid()}")
)
os.environ.setdefault("JAX_PLATFORMS", "cpu")
