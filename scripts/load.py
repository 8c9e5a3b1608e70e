"""Measures memory, time and open files with large inputs and long runs. Needs Linux and the tinygpt binary.

    cargo build --release
    python scripts/load.py [--program target/release/tinygpt] [--steps 50000]

The cases are a vocabulary of 100,000, a context of 4,096, a comparison of 10,000 finished runs and 50,000 steps of a tiny
model. The script also measures when a run writes its first checkpoint if no save interval is set. It fails if memory grows
by 64 bytes per step or more, or if more files are open at the end than at the beginning.
"""

import argparse
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

TINY = "--layers 1 --heads 2 --dim 16 --context 16 --batch-size 4 --threads 1".split()


def text(lines):
    draw = random.Random(0)
    animals, verbs = ["cat", "dog", "hen", "fox", "owl"], ["sees", "likes", "hears"]
    return "".join(f"the {draw.choice(animals)} {draw.choice(verbs)} the {draw.choice(animals)}.\n" for _ in range(lines))


def run(name, *arguments, stdin=None):
    """Runs a command to its end and tells how long it took and the most memory it held."""
    began = time.monotonic()
    process = subprocess.Popen([PROGRAM, *map(str, arguments)], stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, errors = process.stdout.read(), process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{name}: {errors.decode()}")
    print(f"{name}: {time.monotonic() - began:.1f} s, {usage.ru_maxrss / 1024:.0f} MB peak", flush=True)
    return out


def vocabulary():
    run("setup: a tokenizer", "train", "--data", "text.txt", *TINY, "--steps", 1, "--out", "first")
    tokenizer = json.loads(pathlib.Path("first/last/tokenizer.json").read_text())
    vocab = tokenizer["model"]["vocab"]
    for i in range(len(vocab), 100_000):
        vocab[f"word{i}"] = i
    pathlib.Path("large.json").write_text(json.dumps(tokenizer))
    shape = "--layers 2 --heads 2 --dim 64 --context 64 --batch-size 8 --steps 20 --eval-every 0".split()
    run("vocabulary 100,000: 20 steps of 512 tokens", "train", "--data", "text.txt", *shape, "--tokenizer", "large.json", "--out", "vocabulary")
    run("vocabulary 100,000: generate 100 tokens", "generate", "--checkpoint", "vocabulary", "--max-tokens", 100)
    run("vocabulary 100,000: score a text of 22,000 characters", "eval", "--checkpoint", "vocabulary", "--data", "short.txt")


def context():
    shape = "--layers 2 --heads 2 --dim 64 --context 4096 --batch-size 2 --steps 5 --eval-every 0".split()
    run("context 4,096, 5 steps of 8,192 tokens", "train", "--data", "text.txt", *shape, "--out", "context")
    with open("prompt.txt") as prompt:
        run("context 4,096, 200 tokens after 4,000", "generate", "-", "--checkpoint", "context", "--max-tokens", 200, stdin=prompt)


def comparison():
    arms = ["relu", "gelu", "silu", "swiglu", "mish", "elu", "tanh", "sigmoid", "geglu", "reglu"]
    run("setup: a comparison", "compare", "--data", "text.txt", *TINY, "--steps", 4, "--acts", "relu", "--seeds", 1, "--out", "large")
    line = json.loads(pathlib.Path("large/results.jsonl").read_text())
    about = json.loads(pathlib.Path("large/compare.json").read_text())
    seeds = list(range(1, 1001))
    about["design"]["arms"] = [{"act": act, "ffn_dim": None, "ffn_init_scale": None} for act in arms]
    about["design"]["seeds"] = seeds
    pathlib.Path("large/compare.json").write_text(json.dumps(about))
    draw = random.Random(0)
    with open("large/results.jsonl", "w") as results:
        for seed in seeds:
            for act in arms:
                outcome = {**line["outcome"], "act": act, "val_loss": draw.gauss(2.0, 0.01)}
                results.write(json.dumps({**line, "act": act, "seed": seed, "outcome": outcome}) + "\n")
    run("a report of 10,000 runs", "report", "large")


def long_run(steps):
    flags = [*TINY, "--steps", steps, "--eval-every", 5000, "--save-every", 1000, "--out", "long"]
    process = subprocess.Popen([PROGRAM, "train", "--data", "text.txt", *map(str, flags)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seen = []
    began = time.monotonic()
    while process.poll() is None:
        time.sleep(0.2)
        try:
            status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
            memory = int(status.split("VmRSS:")[1].split()[0]) * 1024
            handles = len(os.listdir(f"/proc/{process.pid}/fd"))
            lines = pathlib.Path("long/metrics.jsonl").read_bytes().count(b"\n")
        except (OSError, IndexError):
            continue
        seen.append((lines, memory, handles))
    assert process.returncode == 0
    # The first steps allocate memory that later steps reuse.
    seen = [point for point in seen if point[0] > steps / 10]
    mean = [sum(point[i] for point in seen) / len(seen) for i in (0, 1)]
    across = sum((step - mean[0]) * (memory - mean[1]) for step, memory, _ in seen)
    slope = across / sum((step - mean[0]) ** 2 for step, _, _ in seen)
    print(
        f"{steps:,} steps: {time.monotonic() - began:.0f} s, {mean[1] / 2**20:.1f} MB, "
        f"{slope:+.1f} bytes per step over {len(seen)} samples, "
        f"{min(point[2] for point in seen)} to {max(point[2] for point in seen)} open files, {seen[-1][2]} at the end",
        flush=True,
    )
    if slope >= 64 or seen[-1][2] > seen[0][2]:
        sys.exit("memory or the number of open files grows")


def first_checkpoint():
    flags = [*TINY, "--steps", 100_000_000, "--eval-every", 0, "--out", "endless"]
    process = subprocess.Popen([PROGRAM, "train", "--data", "text.txt", *map(str, flags)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    began = time.monotonic()
    while not os.path.exists("endless/last") and time.monotonic() - began < 120:
        time.sleep(0.1)
    process.kill()
    process.wait()
    taken = time.monotonic() - began
    print(f"first checkpoint without a save interval: after {taken:.0f} s")
    if taken > 60:
        sys.exit("the first checkpoint took more than a minute")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", default="target/release/tinygpt")
    parser.add_argument("--steps", type=int, default=50_000)
    asked = parser.parse_args()
    PROGRAM = str(pathlib.Path(asked.program).resolve())
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        pathlib.Path("text.txt").write_text(text(10_000))
        pathlib.Path("short.txt").write_text(text(1_000))
        pathlib.Path("prompt.txt").write_text(text(1_000)[:4000])
        vocabulary()
        context()
        comparison()
        long_run(asked.steps)
        first_checkpoint()
        os.chdir("/")
