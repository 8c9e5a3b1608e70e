"""Measures how the time of a training step grows with width, depth, context and vocabulary.

    cargo build --release
    python scripts/growth.py [TINYGPT] > growth.md

Each row varies one dimension of a model with 4 layers, width 256, context 256 and a vocabulary of 256. A batch has
1,024 tokens. Time shouldn't grow faster than FLOPs, so the share of the matmul peak shouldn't fall.
"""

import json
import subprocess
import sys

TINYGPT = sys.argv[1] if len(sys.argv) > 1 else "target/release/tinygpt"
BASE = {"layers": 4, "dim": 256, "context": 256, "vocab": 256}
VARIED = {
    "dim": [128, 256, 512, 768],
    "layers": [2, 4, 8, 12],
    "context": [64, 256, 512, 1024],
    "vocab": [65, 1024, 8192, 50257],
}
TOKENS = 1024


def bench(layers, dim, context, vocab):
    shape = {"layers": layers, "dim": dim, "heads": dim // 64, "context": context, "vocab": vocab}
    flags = [word for name, value in shape.items() for word in (f"--{name}", str(value))]
    fixed = ["--batch-size", str(TOKENS // context), "--only", "train", "--seconds", "2", "--json"]
    return json.loads(subprocess.run([TINYGPT, "bench", *flags, *fixed], check=True, capture_output=True).stdout)


print("| varied | value | parameters | ms per step | share of the matmul peak | memory, MB |")
print("|---|---|---|---|---|---|")
for name, values in VARIED.items():
    for value in values:
        found = bench(**{**BASE, name: value})
        step = 1000 * TOKENS / found["train_tokens_per_second"]
        print(
            f"| {name} | {value:,} | {found['params']:,} | {step:.1f} | {100 * found['mfu']:.0f} % "
            f"| {found['peak_rss_mb']:.0f} |",
            flush=True,
        )
