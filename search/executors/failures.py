"""Whose failure an exception is: the candidate's, or that of its surroundings."""

from search.errors import SurroundingsError

# What XLA, CUDA and operating systems say where memory, a device or a connection was lost. XLA's
# exceptions have one type for everything; only the text tells them apart.
_LOST = (
    "out of memory",
    "resource_exhausted",
    "resource exhausted",
    "cuda error",
    "cuda_error",
    "cudnn_status",
    "cublas_status",
    "hip error",
    "nccl error",
    "cannot allocate memory",
    "device lost",
    "unavailable:",
    "deadline_exceeded",
    "no space left",
    "connection reset",
    "too many open files",
)


def is_surroundings(error: BaseException) -> bool:
    """Say whether an exception tells of the surroundings: nothing about the candidate follows.

    Memory, files, connections, packages, also where such an exception was its cause; anything else
    that an evaluator raises may be either.
    """
    seen: list[BaseException] = []
    while error not in seen:
        if isinstance(error, (SurroundingsError, MemoryError, OSError, ImportError)):
            return True
        text = str(error).lower()
        if any(sign in text for sign in _LOST):
            return True
        seen.append(error)
        error = error.__cause__ or error
    return False


def reason(error: BaseException) -> str:
    """Return one line, at most 500 characters, that says what went wrong."""
    text = " ".join(str(error).split())
    if isinstance(error, SurroundingsError):
        return text[:500]
    return f"{type(error).__name__}: {text}"[:500]
