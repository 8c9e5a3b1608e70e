"""Checks with PyPI's gguf that a file from `tinygpt export` has the configuration and weights of its checkpoint, in the
layout of llama.cpp's own converter.

    pip install gguf safetensors
    tinygpt export --checkpoint runs/swiglu --out swiglu.gguf
    python scripts/check_gguf.py runs/swiglu/best swiglu.gguf
"""

import json
import pathlib
import re
import sys

import numpy as np
from gguf import MODEL_ARCH, GGUFReader, get_tensor_name_map
from gguf.quants import dequantize
from safetensors.numpy import load_file

directory, file = pathlib.Path(sys.argv[1]), sys.argv[2]
reader = GGUFReader(file)
config = json.loads((directory / "config.json").read_text())
tensors = load_file(directory / "model.safetensors")


def key(name):
    return reader.fields[name].contents()


architecture = key("general.architecture")
assert architecture == config["model_type"], f"{architecture}, but config.json says {config['model_type']}"
of_config = {
    "context_length": ("max_position_embeddings", "n_positions"),
    "embedding_length": ("hidden_size", "n_embd"),
    "block_count": ("num_hidden_layers", "n_layer"),
    "feed_forward_length": ("intermediate_size", "n_inner"),
    "attention.head_count": ("num_attention_heads", "n_head"),
    "attention.head_count_kv": ("num_key_value_heads", "n_head"),
    "attention.layer_norm_rms_epsilon": ("rms_norm_eps",),
    "attention.layer_norm_epsilon": ("layer_norm_epsilon",),
    "rope.freq_base": ("rope_theta",),
}
checked = 0
for name, keys in of_config.items():
    expected = [config[key] for key in keys if key in config]
    if expected:
        found = key(f"{architecture}.{name}")
        assert np.isclose(found, expected[0], rtol=1e-6), f"{name} is {found}, not {expected[0]}"
        checked += 1
assert checked >= 7


def permute(weights, heads):
    """Reorders rows of query and key projections like `permute` in llama.cpp's convert_hf_to_gguf.py."""
    parts = weights.reshape(heads, 2, weights.shape[0] // heads // 2, weights.shape[1])
    return parts.swapaxes(1, 2).reshape(weights.shape)


# gguf maps Hugging Face names to llama.cpp names.
architectures = {"llama": MODEL_ARCH.LLAMA, "arcee": MODEL_ARCH.ARCEE, "gpt2": MODEL_ARCH.GPT2}
names = get_tensor_name_map(architectures[architecture], config.get("num_hidden_layers", config.get("n_layer")))
found = {tensor.name: tensor for tensor in reader.tensors}
for name, weights in tensors.items():
    if name.endswith("q_proj.weight"):
        weights = permute(weights, config["num_attention_heads"])
    if name.endswith("k_proj.weight"):
        weights = permute(weights, config["num_key_value_heads"])
    if re.search(r"\.(c_attn|c_proj|c_fc)\.weight$", name):
        weights = weights.T
    theirs = names.get_name(name, try_suffixes=(".weight", ".bias"))
    assert theirs in found, f"{name}: no tensor {theirs}"
    tensor = found.pop(theirs)
    kind = tensor.tensor_type.name
    values = dequantize(tensor.data, tensor.tensor_type).reshape(weights.shape)
    # Half a quantization step: exact for F32, 11 bits for F16, 127 steps up to a block's largest value for Q8_0.
    tolerance = {"F32": 0.0, "F16": 2.0**-11, "Q8_0": 0.51 / 127}[kind] * np.abs(weights).max()
    assert np.abs(values - weights).max() <= tolerance, f"{name} differs as {kind}"
    rows_divide = weights.ndim > 1 and weights.shape[-1] % 32 == 0
    assert kind != "Q8_0" or rows_divide
assert not found, f"tensors that aren't in the checkpoint: {sorted(found)}"

tokens = key("tokenizer.ggml.tokens")
assert len(tokens) == len(key("tokenizer.ggml.token_type")) == config["vocab_size"]
print(f"{architecture}: {len(tensors)} tensors, {len(tokens)} tokens")
