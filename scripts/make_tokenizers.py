"""Writes tests/checkpoints/tokenizers: tokenizers in formats that other programs write. Each has an expected.json with
transformers' ids for some texts, special tokens included.

    scripts/python_env
    target/python/bin/python scripts/make_tokenizers.py tests/checkpoints/tokenizers
"""

import json
import pathlib
import sys

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import AutoTokenizer

TEXTS = ["The cat sat on the mat, and the hen saw it.", "two  spaces\n\tand a 猫\n", ""]
END = "<|endoftext|>"
root = pathlib.Path(sys.argv[1])


def byte_level():
    """One token per byte, in GPT-2's byte alphabet, a few merges, and an end token."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("t", "h"), ("th", "e"), ("a", "t"), ("Ġ", "the")]
    tokens = [END, *letters, *map("".join, merges)]
    tokenizer = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([END])
    return tokenizer


def begins_with(token, tokenizer):
    """Adds a post-processor that puts a token before every text."""
    special = [(token, tokenizer.token_to_id(token))]
    tokenizer.post_processor = processors.TemplateProcessing(single=f"{token} $A", special_tokens=special)
    return tokenizer


def sentencepiece():
    """Llama 2 style: a space before every text, and byte fallback for unknown characters."""
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", "t", "h", "e", "a", "n"]
    merges = [("▁", "t"), ("▁t", "h"), ("▁th", "e"), ("▁", "a")]
    tokens += map("".join, merges)
    vocab = {token: i for i, token in enumerate(tokens)}
    model = models.BPE(vocab=vocab, merges=merges, byte_fallback=True, fuse_unk=True, unk_token="<unk>")
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    return begins_with("<s>", tokenizer)


def truncated():
    tokenizer = byte_level()
    tokenizer.enable_truncation(max_length=8)
    tokenizer.enable_padding(length=64, pad_token=END)
    return tokenizer


def lossy():
    """BERT style: lowercase words, and one token for all unknown words."""
    words = ["[UNK]", END, "the", "cat", "sees", "hears", "likes", "fox", "hen", "owl", "."]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens(["[UNK]", END])
    return tokenizer


ENDS = {"bos_token": END, "eos_token": END}
# name -> (tokenizer, contents of tokenizer_config.json)
CASES = {
    "truncated": (truncated(), ENDS),
    "bos-by-template": (sentencepiece(), {"bos_token": "<s>", "eos_token": "</s>"}),
    # transformers 5 reads this from tokenizer.json and ignores add_bos_token.
    "bos-by-config-alone": (byte_level(), {**ENDS, "add_bos_token": True}),
    "bos-despite-config": (begins_with(END, byte_level()), {**ENDS, "add_bos_token": False}),
    "lossy": (lossy(), ENDS),
}

for name, (tokenizer, config) in CASES.items():
    directory = root / name
    directory.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(directory / "tokenizer.json"), pretty=False)
    config = {"tokenizer_class": "PreTrainedTokenizerFast", **config}
    (directory / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")
    theirs = AutoTokenizer.from_pretrained(directory)
    expected = [{"text": text, "ids": theirs(text)["input_ids"]} for text in TEXTS]
    (directory / "expected.json").write_text(json.dumps(expected, ensure_ascii=False) + "\n", encoding="utf-8")
    print(name, [len(case["ids"]) for case in expected])
