"""The forms in which a network leaves, and what each needs; one file of this folder writes each.

Each file has `write(network, folder, calibration)`, and `load(folder)`, which returns what was
written as a function from images to logits, run by the library that will run it elsewhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

from search.errors import UserError


@dataclass(frozen=True)
class Form:
    """What is known of a form before its libraries are imported.

    `packages` must be importable, and `install` is the command that makes them so. `layout` is the
    order of an image's axes. `batched`: whether it takes any number of images at once. `int8`:
    whether it can be quantised. `notice` is one line that belongs to every such file.
    """

    packages: tuple[str, ...]
    install: str
    layout: Literal["NCHW", "NHWC"]
    batched: bool = True
    int8: bool = False
    notice: str = ""


_EXTRA = 'pip install "convbudget[export]"'
FORMS: Mapping[str, Form] = {
    "onnx": Form(("onnx", "onnxruntime"), _EXTRA, "NCHW", int8=True),
    "stablehlo": Form(
        # `jax.export` serialises with it and does not ask for it.
        ("flatbuffers",),
        _EXTRA,
        "NHWC",
        notice="later versions of JAX read it for at least six months; --to flax lasts longer",
    ),
    "flax": Form((), "", "NHWC"),
    "torch": Form(("torch",), "pip install torch", "NCHW"),
    "tflite": Form(
        ("tensorflow", "ai_edge_litert"),
        'pip install "convbudget[tflite]"',
        "NHWC",
        batched=False,
        int8=True,
    ),
}
# What runs a form on devices, beside JAX, and can be timed here.
RUNTIMES: Mapping[str, str] = {"onnxruntime": "onnx", "litert": "tflite"}


@dataclass(frozen=True)
class Choice:
    """What is asked for: a name of `FORMS`, `int8` quantisation, `raw` normalised images."""

    form: str
    int8: bool = False
    raw: bool = False

    @property
    def folder(self) -> str:
        """What the folder's name ends in, after the network's id."""
        return "-".join([self.form, *["int8"] * self.int8, *["raw"] * self.raw])


def missing_packages(form: str) -> list[str]:
    """Return the packages of a form that this Python lacks."""
    return [name for name in FORMS[form].packages if find_spec(name) is None]


def missing_runtime(runtime: str) -> str:
    """Return what a runtime lacks, and the command that installs it; empty where it is there."""
    form = RUNTIMES[runtime]
    missing = missing_packages(form)
    return f"{' and '.join(missing)}; {FORMS[form].install}" if missing else ""


def check_choice(choice: Choice) -> None:
    """Raise `UserError` for a form that can't be quantised, or whose packages are missing."""
    form = FORMS[choice.form]
    if choice.int8 and not form.int8:
        able = " and ".join(name for name, each in FORMS.items() if each.int8)
        raise UserError(f"--int8 is not for --to {choice.form}; {able} can be quantised")
    missing = missing_packages(choice.form)
    if missing:
        raise UserError(
            f"--to {choice.form} needs {' and '.join(missing)}, which this Python lacks;"
            f" {form.install}"
        )
