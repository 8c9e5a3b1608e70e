"""Prints reference values of every named activation from PyTorch in f64.

    pip install torch && python scripts/activation_values.py > src/activation/pytorch_values.in

Functions of x are evaluated at x, and functions of gate and up projection at g = x, u = 0.5 - x. The tests in
src/activation/tests.rs read the output.
"""

import math

import torch
import torch.nn.functional as F

x = torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0], dtype=torch.float64)


def xielu(x, alpha_p=0.8, alpha_n=0.8, beta=0.5):
    # Equation 4 of arXiv 2411.13010, as transformers' XIELUActivation computes it.
    return torch.where(x > 0, alpha_p * x * x + beta * x, (torch.expm1(x.clamp(max=0)) - x) * alpha_n + beta * x)


def swiglu_oai(g, u, alpha=1.702, limit=7.0):
    # As in transformers' GptOssExperts.
    g, u = g.clamp(max=limit), u.clamp(-limit, limit)
    return (u + 1) * (g * torch.sigmoid(g * alpha))


functions = {
    "relu": F.relu,
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "silu": F.silu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu2": lambda x: F.relu(x) ** 2,
    "leaky_relu": lambda x: F.leaky_relu(x, 0.01),
    "leaky_relu2": lambda x: F.leaky_relu(x, 0.5) ** 2,
    "prelu": lambda x: F.prelu(x, torch.tensor([0.25], dtype=torch.float64)),
    "elu": F.elu,
    "selu": F.selu,
    "softplus": F.softplus,
    "mish": F.mish,
    "quick_gelu": lambda x: x * torch.sigmoid(1.702 * x),
    "swish_beta": F.silu,
    "golu": lambda x: x * torch.exp(-torch.exp(-x)),
    "xielu": xielu,
    "polyrelu": lambda x: (F.relu(x) + F.relu(x) ** 2 + F.relu(x) ** 3) / 3,
    "hardswish": F.hardswish,
    "relu6": F.relu6,
    "softsign": F.softsign,
    "squareplus": lambda x: (x + torch.sqrt(x * x + 4)) / 2,
    # As in transformers' LaplaceActivation.
    "laplace": lambda x: 0.5 * (1 + torch.erf((x - 0.707107) / (0.282095 * math.sqrt(2)))),
    "identity": lambda x: x,
}
gated = {
    "reglu": lambda g, u: F.relu(g) * u,
    "geglu": lambda g, u: F.gelu(g) * u,
    "swiglu": lambda g, u: F.silu(g) * u,
    "glu": lambda g, u: F.glu(torch.cat([u, g])),
    "bilinear": lambda g, u: g * u,
    "drelu": lambda g, u: F.relu(g) * F.relu(u),
    "swiglu_oai": swiglu_oai,
    "swiglu_clamped": lambda g, u: F.silu(g.clamp(max=10)) * u.clamp(-10, 10),
    "situ_glu": lambda g, u: 4 * torch.tanh(g / 4) * torch.sigmoid(g) * 25 * torch.tanh(u / 25),
    "powlu": lambda g, u: torch.where(g > 0, g.abs() ** (3 / (g.abs().sqrt() + 1)), g) * torch.sigmoid(g) * u,
}
print("// Made by scripts/activation_values.py with PyTorch", torch.__version__)
print("&[")
for name, f in (functions | gated).items():
    y = f(x, 0.5 - x) if name in gated else f(x)
    values = ", ".join(repr(v) for v in y.tolist())
    print(f'    ("{name}", [{values}]),')
print("]")
