"""Times tinygpt and PyTorch on the same work. The programs take turns, and each run is a separate process.

    pip install torch transformers
    cargo build --release && python scripts/compare_pytorch.py
    python scripts/compare_pytorch.py --work generate --llama2c path/to/llama2.c/run

Prints the machine, and a Markdown table with the median and range over the turns. Ratios are relative to the fastest other
program that does the same work in f32, as tinygpt does; PyTorch under autocast to bfloat16 has rows of its own. Run it on an otherwise idle machine: threads that synchronize at every operation become many times slower when
another program takes a core. Each run first waits until the processors are idle, at most --wait seconds. Disturbed runs
count only if all runs of that program were disturbed.
"""

import argparse
import array
import datetime
import json
import os
import pathlib
import platform
import random
import re
import statistics
import struct
import subprocess
import sys
import tempfile
import time

DISTURBED = 0.05  # share of processor time used by other programs
PEER = pathlib.Path(__file__).with_name("peer.py")
BF16 = ", bf16"  # ends the names of programs that don't compute in f32
SMALL = {"layers": 4, "dim": 128, "heads": 4, "context": 64, "batch": 12, "vocab": 65}
LARGE = {"layers": 6, "dim": 384, "heads": 6, "context": 256, "batch": 16, "vocab": 65}
STORIES = {"layers": 6, "dim": 288, "heads": 6, "ffn_dim": 768, "context": 256, "vocab": 32000}
# (group, backbone, activation, shape)
WORK = [
    (group, backbone, act, shape)
    for group, shape in [("small", SMALL), ("large", LARGE)]
    for backbone, act in [("gpt2", "gelu"), ("llama", "swiglu")]
] + [("generate", "llama", "swiglu", STORIES)]


def flags(shape, **renamed):
    return [part for key, value in shape.items()
            for part in ("--" + renamed.get(key, key).replace("_", "-"), str(value))]


def programs(args, work, scratch):
    """Yields the name, the command and the output parser of each program for one kind of work."""
    group, backbone, act, shape = work
    kind = "generate" if group == "generate" else "train"
    model = ["--backbone", backbone, "--act", act]
    threads = ["--threads", str(args.threads)]
    bench = [args.tinygpt, "bench", *model, *flags(shape, batch="batch-size", vocab="vocab-size"), *threads, "--json"]
    yield "tinygpt", [*bench, "--only", kind], lambda run: read_json(run, f"{kind}_tokens_per_second")
    peer = [args.python, str(PEER), kind, *flags(shape), *threads]
    if kind == "train":
        peer += [*model, "--steps", str(args.steps or (100 if group == "small" else 10)),
                 "--warmup-steps", "10" if group == "small" else "3"]
        for suffix, precision in [("", []), (BF16, ["--bf16"])]:
            for mode in ["eager", "compile"]:
                yield f"PyTorch {mode}{suffix}", [*peer, "--mode", mode, *precision], read_json
        return
    yield "transformers", peer, read_json
    if args.llama2c:
        weights, vocabulary = write_llama2c(pathlib.Path(scratch), shape)
        length = str(shape["context"])
        yield "llama2.c", [args.llama2c, weights, "-z", vocabulary, "-t", "0", "-n", length], read_llama2c


def read_json(run, rate="tokens_per_second"):
    figures = json.loads(run.stdout)
    return {"tokens_per_second": figures[rate], "peak_rss_mb": figures["peak_rss_mb"], "raw": figures}


def read_llama2c(run):
    rate = re.search(r"achieved tok/s: ([\d.]+)", run.stderr)
    return {"tokens_per_second": float(rate[1]), "peak_rss_mb": run.peak_rss_mb, "raw": None}


def write_llama2c(directory, shape):
    """Writes random weights and a vocabulary in llama2.c's formats."""
    dim, ffn, layers, vocab, context = (shape[k] for k in ("dim", "ffn_dim", "layers", "vocab", "context"))
    draw = random.Random(1)
    block = array.array("f", (draw.gauss(0, 0.03) for _ in range(65521)))  # repeated, since only the size matters

    def write(file, elements):
        while elements > 0:
            block[:elements].tofile(file)
            elements -= len(block)

    weights, vocabulary = directory / "model.bin", directory / "tokenizer.bin"
    with open(weights, "wb") as file:
        file.write(struct.pack("7i", dim, ffn, layers, shape["heads"], shape["heads"], vocab, context))
        write(file, dim)
        # llama2.c stops when it samples token 1 (BOS). Zero weights keep its logit from being the largest.
        file.write(bytes(4 * dim))
        write(file, (vocab - 2) * dim)
        ones = array.array("f", [1.0] * dim)
        (ones * layers).tofile(file)  # norms before attention
        write(file, 4 * layers * dim * dim)  # query, key, value, output
        (ones * layers).tofile(file)  # norms before the FFN
        write(file, 3 * layers * dim * ffn)  # gate, down, up
        ones.tofile(file)
        write(file, context * dim // shape["heads"])  # legacy tables that llama2.c skips
    with open(vocabulary, "wb") as file:
        file.write(struct.pack("i", 8))
        for token in range(vocab):
            piece = f"{token:x}".encode()
            file.write(struct.pack("fi", 0.0, len(piece)) + piece)
    return str(weights), str(vocabulary)


def processor_seconds():
    """Busy and idle seconds summed over all processors, or zeros if unknown."""
    try:
        line = pathlib.Path("/proc/stat").read_text().split("\n")[0]
    except OSError:
        return 0.0, 0.0
    fields = [int(field) for field in line.split()[1:9]]
    ticks = os.sysconf("SC_CLK_TCK")
    idle = fields[3] + fields[4]
    return (sum(fields) - idle) / ticks, idle / ticks


def share_of_others(before, own):
    """Share of processor time since `before` that was neither idle nor among our `own` seconds."""
    busy, idle = (now - then for now, then in zip(processor_seconds(), before))
    return max(0.0, busy - own) / max(busy + idle, 0.01)


def wait_until_idle(seconds):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        before = processor_seconds()
        time.sleep(0.5)
        if share_of_others(before, 0.0) <= DISTURBED:
            break


class Run:
    """A finished process."""

    def __init__(self, command, env):
        before = processor_seconds()
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            process = subprocess.Popen(command, stdout=out, stderr=err, env=env)
            try:
                _, status, usage = os.wait4(process.pid, 0)
            except BaseException:
                process.kill()
                raise
            process.returncode = self.code = os.waitstatus_to_exitcode(status)
            out.seek(0), err.seek(0)
            self.stdout, self.stderr = (f.read().decode(errors="replace") for f in (out, err))
        self.others = share_of_others(before, usage.ru_utime + usage.ru_stime)
        self.peak_rss_mb = round(usage.ru_maxrss / 1024, 1)


def measure(args, work, scratch):
    """Runs all turns. Returns the measurements of each program."""
    todo = list(programs(args, work, scratch))
    found = {name: [] for name, _, _ in todo}
    env = os.environ | {"OMP_NUM_THREADS": str(args.threads)}
    for turn in range(args.turns):
        for name, command, read in list(todo):
            wait_until_idle(args.wait)
            try:
                run = Run(command, env)
                if run.code != 0:
                    raise RuntimeError(f"exit code {run.code}: {run.stderr.strip()[-300:]}")
                figures = read(run) | {"others": round(run.others, 3)}
            except (OSError, RuntimeError, ValueError, KeyError, TypeError, IndexError) as error:
                print(f"{name} skipped: {error!r}\n    {' '.join(command)}", file=sys.stderr)
                todo = [each for each in todo if each[0] != name]
                continue
            found[name].append(figures)
            print(f"turn {turn + 1}: {name} {figures['tokens_per_second']:,.0f} tokens/s, "
                  f"{run.others:.0%} of processor time used by other programs", file=sys.stderr)
    return {name: runs for name, runs in found.items() if runs}


def rows(title, found):
    def median(runs, key):
        return statistics.median(run[key] for run in runs)

    # Disturbed runs count only if there are no others.
    found = {name: [run for run in runs if run["others"] <= DISTURBED] or runs for name, runs in found.items()}
    others = [name for name in found if name != "tinygpt" and not name.endswith(BF16)]
    best = max(others, key=lambda name: median(found[name], "tokens_per_second"), default=None)
    for name, runs in found.items():
        disturbed = any(run["others"] > DISTURBED for run in runs)
        cells = [title, name + " (disturbed)" * disturbed]
        for key in ("tokens_per_second", "peak_rss_mb"):
            values = [run[key] for run in runs]
            cells.append(f"{median(runs, key):,.0f} ({min(values):,.0f}–{max(values):,.0f})")
            cells.append(f"{median(runs, key) / median(found[best], key):.2f}" if best else "")
        yield "| " + " | ".join(cells) + " |"


def machine():
    """The processor, its caches and instruction sets, and the build of tinygpt, as the system tells."""
    try:
        text = pathlib.Path("/proc/cpuinfo").read_text()
        fields = dict(re.findall(r"^(\S.*?)\s*: (.*)$", text, re.MULTILINE))
        flags = fields.get("flags", fields.get("Features", "")).split()
        caches = []
        for cache in sorted(pathlib.Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
            level, kind, size = ((cache / part).read_text().strip() for part in ("level", "type", "size"))
            if kind != "Instruction":
                caches.append(f"L{level} {size}")
    except OSError:
        return platform.processor() or platform.machine()
    known = ["avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "asimd", "sve"]
    name = fields.get("model name", platform.machine())
    sets = ", ".join(flag for flag in known if flag in flags)
    return f"{name}, {os.cpu_count()} processors; {', '.join(caches)}; {sets}"


def build():
    """The commit of tinygpt, where this is a repository."""
    described = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, cwd=PEER.parent)
    return described.stdout.strip() or "unknown"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0],
                                     formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--tinygpt", default="target/release/tinygpt")
    parser.add_argument("--python", default=sys.executable, help="a Python with torch and transformers")
    parser.add_argument("--llama2c", help="path of llama2.c's `run`; times its generation too")
    parser.add_argument("--work", default="small,large,generate")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--steps", type=int, help="timed steps of PyTorch; 100 for small and 10 for large by default")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--wait", type=float, default=60, help="most seconds to wait for an idle machine")
    parser.add_argument("--json", type=pathlib.Path, help="file for the measurements of every run")
    args = parser.parse_args()
    wanted = args.work.split(",")
    if unknown := set(wanted) - {work[0] for work in WORK}:
        parser.error(f"--work {','.join(sorted(unknown))}: use small, large or generate")

    table, raw = [], {}
    with tempfile.TemporaryDirectory() as scratch:
        for work in WORK:
            if work[0] in wanted:
                title = f"{work[0]}, {work[1]} {work[2]}"
                raw[title] = measure(args, work, scratch)
                table += rows(title, raw[title])
                if args.json:
                    args.json.write_text(json.dumps(raw, indent=1) + "\n")
    print(f"Machine: {machine()}. Build {build()}, {datetime.date.today()}.\n")
    print("| work | program | tokens/s | ratio | peak RSS, MB | ratio |\n|---|---|---|---|---|---|")
    print("\n".join(table))
    runs = [run for found in raw.values() for each in found.values() for run in each]
    imports = [run["raw"]["import_rss_mb"] for run in runs if run["raw"] and "import_rss_mb" in run["raw"]]
    if imports:
        print(f"\n`import torch` alone accounts for {statistics.median(imports):,.0f} MB of each PyTorch number.")
    if disturbed := sum(run["others"] > DISTURBED for run in runs):
        print(f"\n{disturbed} of {len(runs)} runs shared the processors with other programs. They count only if all runs "
              "of a program did.")


if __name__ == "__main__":
    main()
