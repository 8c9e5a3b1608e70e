"""Checks that llama.cpp tokenizes prompts like tinygpt and generates the same greedy text.

    pip install llama-cpp-python
    python scripts/check_llama_cpp.py MODEL.gguf CASES.json

CASES.json is a list of {"prompt": ..., "ids": [...], "text": ...}: a prompt, its token ids from tinygpt, and the output
of `generate --temperature 0`. tests/cli/gguf.rs writes it.
"""

import itertools
import json
import sys

from llama_cpp import Llama

model_file, cases_file = sys.argv[1:]
with open(cases_file, encoding="utf-8") as file:
    cases = json.load(file)
model = Llama(model_file, n_ctx=0, verbose=False)
for case in cases:
    ids = model.tokenize(case["prompt"].encode(), add_bos=False, special=False)
    assert ids == case["ids"], f"{case['prompt']!r}: {ids}, not {case['ids']}"
    model.reset()
    written = itertools.takewhile(lambda token: token != model.token_eos(), model.generate(ids, temp=0.0))
    # Compare as many bytes as tinygpt wrote: if the text ends inside a character, it doesn't determine the token count.
    text = b""
    while len(text) < len(case["text"].encode()) and (token := next(written, None)) is not None:
        text += model.detokenize([token])
    assert text.decode(errors="replace") == case["text"], f"{case['prompt']!r}: {text!r}, not {case['text']!r}"
print(len(cases), "texts")
