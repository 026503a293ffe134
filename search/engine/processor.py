"""What tells processors apart that cannot run each other's programs."""

import platform
from contextlib import suppress
from functools import cache
from pathlib import Path


@cache
def processor() -> str:
    """Return the processor's model and features."""
    # Kernels name the same lines in other ways: `flags` on x86, `Features` on ARM.
    x86 = {"vendor_id", "cpu family", "model", "model name", "stepping", "flags"}
    names = x86 | {"features", "cpu implementer", "cpu part", "cpu variant", "isa", "cpu"}
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(errors="replace").split("\n\n")[0].splitlines()
        return "\n".join(line for line in lines if line.split(":")[0].strip().lower() in names)
    return f"{platform.machine()} {platform.processor()} {platform.platform()}"
