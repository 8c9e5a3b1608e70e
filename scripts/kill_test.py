"""Kills training and then a comparison at random moments until they finish. The results must not change.

    cargo build --release
    python scripts/kill_test.py [--kills 200] [--compare-kills 20] [--seed 1] [--program target/release/tinygpt]

After a kill, a run continues with `--resume`, or with its first command if it has no checkpoint yet. Each finished run is
compared with an uninterrupted one byte by byte, and then another run begins. A comparison must match an uninterrupted one
in every number except times and memory. At the end, the script prints what the process was doing at each kill. It exits
with 1 at the first difference.
"""

import argparse
import collections
import json
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

STEPS, SAVE_EVERY, EVAL_EVERY = 300, 10, 30
MODEL = "--data text.txt --layers 2 --heads 2 --dim 32 --context 32 --batch-size 4 --threads 1".split()
TRAIN = [
    *MODEL,
    *f"--steps {STEPS} --save-every {SAVE_EVERY} --eval-every {EVAL_EVERY}".split(),
    *"--grad-accum 2 --dropout 0.1 --warmup 50".split(),
]
COMPARE = [*MODEL, *"--acts relu,gelu,swiglu --seeds 2 --steps 100 --save-every 20 --eval-every 50".split()]
TIMES = {"tokens_per_second", "peak_rss_mb", "seconds_to_baseline", "command", "curve", "seconds"}


def text():
    draw = random.Random(0)
    animals, verbs = ["cat", "dog", "hen", "fox", "owl"], ["sees", "likes", "hears"]
    return "".join(
        f"the {draw.choice(animals)} {draw.choice(verbs)} the {draw.choice(animals)}.\n" for _ in range(4000)
    )


def log(run):
    return (run / "metrics.jsonl").read_bytes().splitlines() if (run / "metrics.jsonl").exists() else []


def phase(run, before):
    """Infers what a killed run was doing from its files. `before` is the number of lines in its log when it started."""
    lines = log(run)
    if list(run.glob(".saving-*")):
        return "while saving"
    if len(lines) <= before:
        return "while starting"
    try:
        last = json.loads(lines[-1]) if lines else {}
    except ValueError:
        return "while writing metrics"
    step = last.get("step", 0)
    if "loss" in last and (step % EVAL_EVERY == 0 or step == STEPS) and (run / f"step-{step:06}").exists():
        return "while evaluating"
    return "between saves"


class Killer:
    def __init__(self, program, folder, seed):
        self.program, self.folder, self.draw = program, folder, random.Random(seed)

    def command(self, arguments):
        return [self.program, *arguments]

    def whole(self, arguments):
        began = time.monotonic()
        done = subprocess.run(self.command(arguments), cwd=self.folder, check=True, capture_output=True)
        return time.monotonic() - began, done.stdout

    def killed(self, arguments, within):
        """Kills the program at a random moment within `within` seconds. Returns False if it finished earlier."""
        process = subprocess.Popen(
            self.command(arguments), cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        try:
            self.out, errors = process.communicate(timeout=self.draw.uniform(0, within))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            return True
        if process.returncode != 0:
            sys.exit(f"after a kill: exit code {process.returncode}\n{errors.decode()}")
        return False


def train(killer, kills):
    duration, _ = killer.whole(["train", *TRAIN, "--out", "whole"])
    files = ["model.safetensors", "optimizer.safetensors"]
    expected = {file: (killer.folder / "whole/last" / file).read_bytes() for file in files}
    phases, number, done = collections.Counter(), 0, 0
    while sum(phases.values()) < kills:
        out, number = f"killed-{number}", number + 1
        run = killer.folder / out
        while True:
            resumes = (run / "last").exists()
            arguments = ["--resume", out] if resumes else [*TRAIN, "--out", out]
            before = len(log(run))
            if not killer.killed(["train", *arguments], duration / 2):
                break
            where = phase(run, before)
            phases[("resumed, " if resumes else "new, ") + where] += 1
        for file in files:
            if (run / "last" / file).read_bytes() != expected[file]:
                sys.exit(f"{run}: {file} differs from the uninterrupted run's")
        done += 1
    print(f"train: {sum(phases.values())} kills, {done} finished runs, all byte-identical to the uninterrupted one")
    for where, count in sorted(phases.items()):
        print(f"  {count:4} {where}")


def without_times(value):
    if isinstance(value, dict):
        return {key: without_times(part) for key, part in value.items() if key not in TIMES}
    return [without_times(part) for part in value] if isinstance(value, list) else value


def compare(killer, kills):
    duration, out = killer.whole(["compare", *COMPARE, "--out", "undisturbed", "--json"])
    expected = without_times(json.loads(out.splitlines()[-1]))
    count, number, done = 0, 0, 0
    while count < kills:
        folder, number = f"comparison-{number}", number + 1
        while killer.killed(["compare", *COMPARE, "--out", folder, "--json"], duration / 3):
            count += 1
        got = without_times(json.loads(killer.out.splitlines()[-1]))
        if got != expected:
            sys.exit(f"{folder}: the table differs\n{json.dumps(expected)}\n{json.dumps(got)}")
        done += 1
    print(f"compare: {count} kills, {done} finished comparisons, all with the same table as the uninterrupted one")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--compare-kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--program", default="target/release/tinygpt")
    asked = parser.parse_args()
    program = str(pathlib.Path(asked.program).resolve())
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "text.txt").write_text(text())
        killer = Killer(program, folder, asked.seed)
        train(killer, asked.kills)
        compare(killer, asked.compare_kills)
