"""Prints PyTorch's first ten losses from tinygpt's initial weights, for a test in src/train/tests.rs.

    pip install torch safetensors
    cargo build --release
    python scripts/first_losses.py target/release/tinygpt > src/train/pytorch_first_losses.in
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

PEER = Path(__file__).with_name("peer.py")
CASES = [("gpt2", "gelu"), ("gpt2", "swiglu"), ("llama", "gelu"), ("llama", "swiglu")]
SHAPE = "--layers 2 --dim 32 --heads 4 --context 16".split()
# One step with a learning rate near zero, so the checkpoint holds the initial weights.
IDLE = "--steps 1 --warmup 0 --lr 1e-30 --batch-size 4 --seed 1".split()

tinygpt = Path(sys.argv[1]).resolve()
print("// Made by scripts/first_losses.py with PyTorch", torch.__version__)
print("&[")
for backbone, act in CASES:
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder, "text.txt")
        text.write_text("".join(f"{i}\n" for i in range(1, 3001)))
        train = [tinygpt, "train", "--data", text, "--backbone", backbone, "--act", act, "--out", f"{folder}/run"]
        subprocess.run(train + SHAPE + IDLE, check=True, capture_output=True)
        vocab = json.loads(Path(folder, "run/last/config.json").read_text())["vocab_size"]
        peer = [sys.executable, PEER, "losses", f"{folder}/run/last", "--batches", "1", "--lr", "3e-3"]
        losses = json.loads(subprocess.run(peer, check=True, capture_output=True).stdout)["losses"]
    print(f'    ("{backbone}", "{act}", {vocab}, {losses}),')
print("]")
