"""Prints three clipped AdamW updates from PyTorch in f64, for a test in src/train/tests.rs.

    pip install torch && python scripts/adamw_reference.py > src/train/pytorch_adamw.in
"""

import torch

matrix = torch.nn.Parameter(0.1 * torch.arange(6, dtype=torch.float64).reshape(3, 2))
vector = torch.nn.Parameter(torch.ones(2, dtype=torch.float64))
optimizer = torch.optim.AdamW(
    [{"params": [matrix], "weight_decay": 0.1}, {"params": [vector], "weight_decay": 0.0}],
    lr=0.0, betas=(0.9, 0.99), eps=1e-8,
)
for step in range(3):
    matrix.grad = torch.sin(torch.arange(6, dtype=torch.float64) + step).reshape(3, 2)
    vector.grad = torch.cos(torch.arange(2, dtype=torch.float64) + step)
    torch.nn.utils.clip_grad_norm_([matrix, vector], 1.0)
    for group in optimizer.param_groups:
        group["lr"] = 0.1 * (step + 1)
    optimizer.step()
print("// Made by scripts/adamw_reference.py with PyTorch", torch.__version__)
print(f"({matrix.flatten().tolist()}, {vector.tolist()})")
