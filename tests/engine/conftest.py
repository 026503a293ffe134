"""Settings under which the engine is tested."""

from collections.abc import Iterator

import jax
import pytest


@pytest.fixture(autouse=True, scope="package")
def strict_promotion() -> Iterator[None]:
    """Refuse implicit changes of dtype, in every thread that compiles."""
    before = jax.config.jax_numpy_dtype_promotion
    jax.config.update("jax_numpy_dtype_promotion", "strict")
    yield
    jax.config.update("jax_numpy_dtype_promotion", before)
