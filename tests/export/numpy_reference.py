"""ARCH_FORMAT.md in NumPy, word for word: an Arch's JSON, arrays and normalised images → logits."""

import numpy as np

ACTIVATIONS = {
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.minimum(np.maximum(x, 0), 6),
    "swish": lambda x: x / (1 + np.exp(-x)),
}


def windows(x, kernel, stride, fill):
    """Yield (row, column, pixels under that tap of the kernel [n, rows, columns, channels])."""
    sizes = [-(-n // stride) for n in x.shape[1:3]]
    pads = [max((m - 1) * stride + kernel - n, 0) for m, n in zip(sizes, x.shape[1:3], strict=True)]
    x = np.pad(x, [(0, 0), *((p // 2, p - p // 2) for p in pads), (0, 0)], constant_values=fill)
    rows, columns = ((m - 1) * stride + 1 for m in sizes)
    for i, j in np.ndindex(kernel, kernel):
        yield i, j, x[:, i : i + rows : stride, j : j + columns : stride]


def forward(arch, arrays, x):
    """`arch`: the JSON object; `x`: normalised images [n, height, width, channels]."""
    activate = ACTIVATIONS[arch["activation"]]

    def layer(path, x, stride=1, added=0.0, act=activate):
        kernel = arrays[f"{path}.kernel"]
        taps = windows(x, kernel.shape[0], stride, 0)
        depthwise = path.endswith("depthwise")
        y = sum(a * kernel[i, j, 0] if depthwise else a @ kernel[i, j] for i, j, a in taps)
        scale, bias, mean, var = (
            arrays[f"{path}.norm.{name}"] for name in ("scale", "bias", "mean", "var")
        )
        return act((y - mean) / np.sqrt(var + 0.00001) * scale + bias + added)

    x = layer("stem", x, arch["stem"]["stride"])
    if arch["stem"]["pool"] == 2:
        x = np.max([a for _, _, a in windows(x, 3, 2, -np.inf)], axis=0)
    for index, block in enumerate(arch["blocks"]):
        at, stride, linear = f"blocks.{index}", block["stride"], lambda x: x
        skip = x if block["skip"] else 0.0
        match block["op"]:
            case "conv":
                x = layer(f"{at}.conv", x, stride, skip)
            case "separable":
                x = layer(f"{at}.pointwise", layer(f"{at}.depthwise", x, stride), 1, skip)
            case "inverted":
                x = layer(f"{at}.expand", x) if block["expansion"] > 1 else x
                x = layer(f"{at}.project", layer(f"{at}.depthwise", x, stride), 1, skip, linear)
            case "blueprint":
                x = layer(f"{at}.depthwise", layer(f"{at}.pointwise", x, act=linear), stride, skip)
            case "basic":
                projected = stride > 1 or x.shape[-1] != block["channels"]
                added = layer(f"{at}.shortcut", x, stride, act=linear) if projected else x
                x = layer(f"{at}.second", layer(f"{at}.first", x, stride), 1, added)
    x = layer("head", x) if arch["head"]["channels"] else x
    return x.mean((1, 2)) @ arrays["classifier.kernel"] + arrays["classifier.bias"]
