"""Checks that transformers loads a checkpoint as it is and agrees with `tinygpt eval`.

    pip install torch transformers
    tinygpt eval --checkpoint runs/swiglu --data text.txt --json > eval.json
    python scripts/check_transformers.py runs/swiglu/best text.txt eval.json
"""

import json
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

directory, text_file, eval_file = sys.argv[1:]
model, info = AutoModelForCausalLM.from_pretrained(directory, output_loading_info=True)
problems = {key: value for key, value in info.items() if value}
assert not problems, f"from_pretrained had to improvise: {problems}"

tokenizer = AutoTokenizer.from_pretrained(directory)
text = open(text_file, newline="", encoding="utf-8").read()
ids = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
assert tokenizer.decode(ids) == text, "the text did not survive the tokenizer"

# The windows of `tinygpt eval`: one context long, end to end.
context = model.config.max_position_embeddings
nats = tokens = 0
with torch.no_grad():
    for start in range(0, len(ids) - 1, context):
        window = torch.tensor(ids[start : start + context + 1])
        logits = model(window[None, :-1]).logits[0]
        nats += torch.nn.functional.cross_entropy(logits, window[1:], reduction="sum").item()
        tokens += len(window) - 1
ours = json.load(open(eval_file))
assert tokens == ours["tokens"], f"{tokens} tokens here, {ours['tokens']} there"
difference = nats / tokens - ours["loss"]
assert abs(difference) < 1e-4, f"loss {nats / tokens} here, {ours['loss']} there"
print(f"{type(model).__name__}: loss {nats / tokens:.6f}, tinygpt {ours['loss']:.6f}")
