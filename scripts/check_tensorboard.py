"""Checks with TensorBoard's reader that a run's event files have the same numbers as its metrics.jsonl.

    python scripts/check_tensorboard.py RUN
"""

import json
import math
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

directory = sys.argv[1]
expected = {}


def expect(step, values):
    for tag, value in values.items():
        expected.setdefault(tag, []).append((step, value))


tokens = 0
for line in map(json.loads, open(f"{directory}/metrics.jsonl", encoding="utf-8")):
    if "loss" in line:
        new, tokens = line["tokens"] - tokens, line["tokens"]
        expect(line["step"], {
            "train/loss": line["loss"],
            "train/learning_rate": line["lr"],
            "train/gradient_norm": line["grad_norm"],
            "train/tokens_per_second": new / line["seconds"],
        })
    elif "val_loss" in line:
        expect(line["step"], {
            "validation/loss": line["val_loss"],
            "validation/bits_per_byte": line["bits_per_byte"],
        })

# 0 keeps every value instead of a sample.
reader = EventAccumulator(directory, size_guidance={"scalars": 0}).Reload()
tags = reader.Tags()["scalars"]
assert sorted(tags) == sorted(expected), f"tags {sorted(tags)}, expected {sorted(expected)}"
for tag, values in expected.items():
    events = reader.Scalars(tag)
    steps = [event.step for event in events]
    assert steps == [step for step, _ in values], f"{tag}: steps {steps}"
    for event, (step, value) in zip(events, values):
        # Event files store f32.
        assert math.isclose(event.value, value, rel_tol=1e-6), f"{tag}, step {step}: {event.value}, not {value}"
print(sum(map(len, expected.values())), "values")
