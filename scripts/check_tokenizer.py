"""Checks that transformers' AutoTokenizer encodes texts like tinygpt and decodes the ids back to the texts.

    python scripts/check_tokenizer.py CHECKPOINT TEXTS.json

TEXTS.json is a list of {"text": ..., "ids": [...]} with tinygpt's ids, including special tokens at the start. If an entry
has "back", the ids decode to that instead of the text. tests/cli/transformers.rs writes it.
"""

import json
import os.path
import sys

from transformers import AutoTokenizer


def check(text, found, expected):
    at = len(os.path.commonprefix([found, expected]))
    assert found == expected, f"{text[:40]!r}, at {at}: {found[at:][:20]!r}, not {expected[at:][:20]!r}"


directory, texts_file = sys.argv[1:]
tokenizer = AutoTokenizer.from_pretrained(directory)
with open(texts_file, encoding="utf-8") as file:
    texts = json.load(file)
for case in texts:
    ids = tokenizer(case["text"], verbose=False)["input_ids"]
    check(case["text"], ids, case["ids"])
    check(case["text"], tokenizer.decode(ids, skip_special_tokens=True), case.get("back", case["text"]))
print(len(texts), "texts")
