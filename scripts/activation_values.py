"""Prints reference values of every pointwise activation from PyTorch in f64.

    pip install torch && python scripts/activation_values.py > src/activation/pytorch_values.in

The tests in src/activation/tests.rs read the output.
"""

import torch
import torch.nn.functional as F

x = torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0], dtype=torch.float64)
functions = {
    "relu": F.relu,
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "silu": F.silu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu2": lambda x: F.relu(x) ** 2,
    "leaky_relu": lambda x: F.leaky_relu(x, 0.01),
    "elu": F.elu,
    "selu": F.selu,
    "softplus": F.softplus,
    "mish": F.mish,
    "quick_gelu": lambda x: x * torch.sigmoid(1.702 * x),
    "identity": lambda x: x,
}
print("// Made by scripts/activation_values.py with PyTorch", torch.__version__)
print("&[")
for name, f in functions.items():
    values = ", ".join(repr(v) for v in f(x).tolist())
    print(f'    ("{name}", [{values}]),')
print("]")
