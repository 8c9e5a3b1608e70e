"""Checks that transformers' AutoTokenizer makes the same ids of texts as tinygpt, and the texts of the ids.

    python scripts/check_tokenizer.py CHECKPOINT TEXTS.json

TEXTS.json is a list of {"text": ..., "ids": [...]}, the ids being tinygpt's, with the special tokens that begin a
text. Texts come back as "back", if that is given. tests/cli/transformers.rs writes it.
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
