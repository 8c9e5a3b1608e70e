"""Checks that transformers loads checkpoints without changes and computes the same results as tinygpt.

    pip install torch transformers
    tinygpt eval --checkpoint runs/swiglu --data text.txt --json > eval.json
    python scripts/check_transformers.py runs/swiglu/best text.txt eval.json
    python scripts/check_transformers.py CASES.json

The first form compares the loss of a text. CASES.json is a list of {"checkpoint", "ids", "logits", "loss"}: the logits
after the last id and the mean loss of the ids, from tinygpt in f32. tests/cli/transformers.rs writes it.
"""

import json
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

logging.disable_progress_bar()


def load(directory):
    model, info = AutoModelForCausalLM.from_pretrained(directory, output_loading_info=True)
    problems = {key: value for key, value in info.items() if value}
    assert not problems, f"{directory}: from_pretrained reported problems: {problems}"
    return model.eval()


def check_text(directory, text_file, eval_file):
    model, tokenizer = load(directory), AutoTokenizer.from_pretrained(directory)
    text = open(text_file, newline="", encoding="utf-8").read()
    ids = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
    assert tokenizer.decode(ids) == text, "the tokenizer doesn't decode back to the text"

    # The same windows as `tinygpt eval`: consecutive, one context long.
    context = model.config.max_position_embeddings
    nats = tokens = 0
    for start in range(0, len(ids) - 1, context):
        window = torch.tensor(ids[start : start + context + 1])
        logits = model(window[None, :-1]).logits[0]
        nats += torch.nn.functional.cross_entropy(logits, window[1:], reduction="sum").item()
        tokens += len(window) - 1
    ours = json.load(open(eval_file))
    assert tokens == ours["tokens"], f"transformers has {tokens} tokens, tinygpt {ours['tokens']}"
    difference = nats / tokens - ours["loss"]
    assert abs(difference) < 1e-4, f"loss {nats / tokens} in transformers, {ours['loss']} in tinygpt"
    print(f"{type(model).__name__}: loss {nats / tokens:.6f}, tinygpt {ours['loss']:.6f}")


def check_cases(cases_file):
    cases = json.load(open(cases_file))
    largest, classes = 0.0, set()
    for case in cases:
        model = load(case["checkpoint"])
        ids = torch.tensor([case["ids"]])
        found = model(ids, labels=ids)
        apart = (found.logits[0, -1] - torch.tensor(case["logits"])).abs().max().item()
        assert apart < 1e-4, f"{case['checkpoint']}: logits differ by {apart}"
        loss = found.loss.item()
        assert abs(loss - case["loss"]) < 1e-4, f"{case['checkpoint']}: loss {loss} in transformers, {case['loss']} in tinygpt"
        largest = max(largest, apart)
        classes.add(type(model).__name__)
    print(f"{len(cases)} checkpoints of {', '.join(sorted(classes))}: logits differ by {largest:.1e} at most")


with torch.no_grad():
    check_text(*sys.argv[1:]) if len(sys.argv) == 4 else check_cases(*sys.argv[1:])
