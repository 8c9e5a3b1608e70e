"""Writes tests/checkpoints/sentencepiece.gguf, a SentencePiece-style vocabulary without a model, and
sentencepiece.json with llama.cpp's tokens of some texts.

    pip install gguf llama-cpp-python
    python scripts/make_sentencepiece_gguf.py tests/checkpoints
"""

import collections
import json
import pathlib
import sys

from gguf import GGUFWriter, TokenType
from llama_cpp import Llama

TEXTS = ["the cat sees  the dog", " the hen\n\thears the fox, the owl", "thethe 猫 <s> don't", "", "  "]
root = pathlib.Path(sys.argv[1])
seen = "▁the▁cat▁sees▁the▁dog▁hears▁the▁hen▁likes▁the▁fox▁and▁the▁owl,▁then▁the▁others."

tokens = [("<unk>", 0.0, TokenType.UNKNOWN), ("<s>", 0.0, TokenType.CONTROL), ("</s>", 0.0, TokenType.CONTROL)]
tokens += [(f"<0x{byte:02X}>", 0.0, TokenType.BYTE) for byte in range(256)]
# SentencePiece scores BPE merges by rank: the first merge has the highest score, single characters the lowest.
pieces = list(seen)
merged = []
for _ in range(40):
    (left, right), _ = collections.Counter(zip(pieces, pieces[1:])).most_common(1)[0]
    merged.append(left + right)
    joined = []
    while pieces:
        pair = pieces[0] + (pieces[1] if len(pieces) > 1 else "")
        taken = 2 if pair == left + right and len(pieces) > 1 else 1
        joined.append("".join(pieces[:taken]))
        pieces = pieces[taken:]
    pieces = joined
words = list(dict.fromkeys(merged)) + sorted(set(seen))
tokens += [(word, -float(rank), TokenType.NORMAL) for rank, word in enumerate(words)]

file = root / "sentencepiece.gguf"
writer = GGUFWriter(file, "llama")
writer.add_context_length(32)
writer.add_embedding_length(8)
writer.add_block_count(1)
writer.add_feed_forward_length(16)
writer.add_head_count(2)
writer.add_layer_norm_rms_eps(1e-5)
writer.add_tokenizer_model("llama")
writer.add_token_list([token for token, _, _ in tokens])
writer.add_token_scores([score for _, score, _ in tokens])
writer.add_token_types([kind for _, _, kind in tokens])
writer.add_bos_token_id(1)
writer.add_eos_token_id(2)
writer.add_unk_token_id(0)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()

vocabulary = Llama(str(file), vocab_only=True, verbose=False)
ids = [vocabulary.tokenize(text.encode(), add_bos=False, special=False) for text in TEXTS]
expected = [{"text": text, "ids": ids} for text, ids in zip(TEXTS, ids)]
(root / "sentencepiece.json").write_text(json.dumps(expected, ensure_ascii=False) + "\n", encoding="utf-8")
print(expected)
