"""Prints 200 random formulas with their values and partial derivatives from PyTorch's autograd in f64.

    pip install torch && python scripts/formula_gradients.py > src/activation/pytorch_gradients.in

A test in src/activation/tests.rs reads the output. Points are random, so that none is on a kink. Half of the formulas are
over x and half over g and u; all have a learned scalar b. Formulas whose value or slope isn't finite are drawn again.
"""

import random
import re

import torch
import torch.nn.functional as F

FUNCTIONS = {
    "exp": torch.exp,
    "ln": torch.log,
    "sqrt": torch.sqrt,
    "abs": torch.abs,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "erf": torch.erf,
    "sin": torch.sin,
    "cos": torch.cos,
    "softplus": F.softplus,
    "normal_cdf": lambda x: 0.5 * (1 + torch.erf(x / 2**0.5)),
    "relu": F.relu,
    "silu": F.silu,
    "gelu": F.gelu,
    "min": torch.minimum,
    "max": torch.maximum,
}
NAMES = dict(FUNCTIONS, where=lambda c, a, b: torch.where(c, a, b), num=lambda v: torch.tensor(v, dtype=torch.float64))


def expression(rng, variables, depth):
    """A formula, and the same in Python."""
    if depth == 0 or rng.random() < 0.1:
        if rng.random() < 0.7:
            name = rng.choice(variables)
            return name, name
        number = round(rng.uniform(0.1, 3), 2)
        return str(number), f"num({number})"
    sub = lambda: expression(rng, variables, depth - 1)
    (a, pa), (b, pb) = sub(), sub()
    kind = rng.choice(["binary", "binary", "unary", "unary", "pair", "power", "where", "negate"])
    if kind == "binary":
        op = rng.choice("+-*/")
        return f"({a} {op} {b})", f"({pa} {op} {pb})"
    if kind == "unary":
        name = rng.choice([name for name in FUNCTIONS if name not in ("min", "max", "ln", "sqrt")])
        return f"{name}({a})", f"{name}({pa})"
    if kind == "pair":
        name = rng.choice(["min", "max"])
        return f"{name}({a}, {b})", f"{name}({pa}, {pb})"
    if kind == "power":
        if rng.random() < 0.5:
            n = rng.choice([2, 3, -1, -2])
            return f"({a})^{n}", f"({pa}) ** {n}"
        name = rng.choice(["ln", "sqrt"])
        return f"{name}(1.5 + abs({a}))", f"{name}(1.5 + abs({pa}))"
    if kind == "where":
        (c, pc), (d, pd) = sub(), sub()
        op = rng.choice(["<", "<=", ">", ">="])
        return f"where({a} {op} {b}, {c}, {d})", f"where({pa} {op} {pb}, {pc}, {pd})"
    return f"-({a})", f"-({pa})"


def tensor(value):
    return torch.tensor(value, dtype=torch.float64, requires_grad=True)


rng = random.Random(1)
print("// Made by scripts/formula_gradients.py with PyTorch", torch.__version__)
print("// Formula, point (x, or g and u), b, value, and the derivatives with respect to the point and b.")
print("&[")
count = 0
while count < 200:
    inputs = ["x"] if count % 2 == 0 else ["g", "u"]
    formula, python = expression(rng, inputs * 2 + ["b"], rng.choice([3, 4]))
    if not all(re.search(rf"\b{name}\b", formula) for name in inputs):
        continue
    if len(formula) > 300:
        continue
    point = [rng.uniform(-2, 2) for _ in inputs]
    b = rng.uniform(-1.5, 1.5)
    leaves = [tensor(value) for value in point] + [tensor(b)]
    try:
        y = eval(python, dict(NAMES), dict(zip(inputs + ["b"], leaves)))
        slopes = torch.autograd.grad(y, leaves, allow_unused=True, materialize_grads=True)
    except RuntimeError:
        continue
    numbers = [y.item()] + [slope.item() for slope in slopes]
    if not all(abs(number) < 1e6 for number in numbers):
        continue
    show = lambda values: "&[" + ", ".join(repr(value) for value in values) + "]"
    print(f'    ("{formula}; b = 1", {show(point)}, {b!r}, {numbers[0]!r}, {show(numbers[1:])}),')
    count += 1
print("]")
