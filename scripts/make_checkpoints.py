"""Writes the checkpoints of tests/checkpoints: tiny models with random weights, in formats that transformers and its users
write. Each has an expected.json with transformers' loss and last logits in f32 for a text.

    pip install torch transformers
    python scripts/make_checkpoints.py tests/checkpoints
"""

import json
import pathlib
import sys

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    ArceeConfig, AutoModelForCausalLM, GPT2Config, LlamaConfig, PreTrainedTokenizerFast,
)

TEXT = "The cat sat on the mat."
END = "<|endoftext|>"
root = pathlib.Path(sys.argv[1])


def tokenizer():
    """One token per byte, in GPT-2's byte alphabet, and an end token."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    bytes_only = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate([END, *letters])}, merges=[]))
    bytes_only.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytes_only.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=bytes_only, bos_token=END, eos_token=END)


COMMON = dict(vocab_size=257, bos_token_id=0, eos_token_id=0, initializer_range=0.3)
ROPE = {"rope_type": "default", "rope_theta": 500000.0}


def llama(config, act, kv_heads, tied, **more):
    return config(
        **COMMON, hidden_size=8, intermediate_size=16, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=kv_heads, max_position_embeddings=32, hidden_act=act, rms_norm_eps=1e-5,
        tie_word_embeddings=tied, **more,
    )


def gpt2(act, tied):
    return GPT2Config(
        **COMMON, n_embd=8, n_inner=None, n_layer=2, n_head=2, n_positions=32, activation_function=act,
        tie_word_embeddings=tied,
    )


def without_prefix(directory):
    """Imitates GPT-2's first checkpoints: tensor names without a prefix, and stored attention masks."""
    path = directory / "model.safetensors"
    tensors = {name.removeprefix("transformer."): tensor for name, tensor in load_file(path).items()}
    for layer in range(2):
        tensors[f"h.{layer}.attn.bias"] = torch.tril(torch.ones(1, 1, 32, 32))
    save_file(tensors, path, metadata={"format": "pt"})


def old_llama(directory):
    """Imitates transformers 4: rope_theta at the top level, and stored rotary frequencies."""
    path = directory / "config.json"
    config = json.loads(path.read_text())
    config["rope_theta"] = config.pop("rope_parameters")["rope_theta"]
    config["rope_scaling"] = None
    config["torch_dtype"] = config.pop("dtype")
    path.write_text(json.dumps(config, indent=2) + "\n")
    path = directory / "model.safetensors"
    tensors = load_file(path)
    for layer in range(2):
        tensors[f"model.layers.{layer}.self_attn.rotary_emb.inv_freq"] = torch.ones(1)
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].clone()
    save_file(tensors, path, metadata={"format": "pt"})


# name -> (configuration, dtype, shard size, function that edits the saved files)
CASES = {
    "gpt2-without-prefix": (gpt2("gelu_new", True), torch.float32, "1GB", without_prefix),
    "gpt2-f16-untied": (gpt2("quick_gelu", False), torch.float16, "1GB", None),
    "llama-bf16-gqa-sharded": (
        llama(LlamaConfig, "silu", 2, False, rope_parameters=ROPE), torch.bfloat16, "6KB", None
    ),
    "llama-old-tied": (
        llama(LlamaConfig, "gelu_pytorch_tanh", 1, True, rope_parameters=ROPE), torch.float32, "1GB", old_llama
    ),
    "arcee-gqa": (llama(ArceeConfig, "relu2", 2, True), torch.float32, "1GB", None),
}

for name, (config, dtype, shard, change) in CASES.items():
    torch.manual_seed(1)
    directory = root / name
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:  # norms and biases start as ones and zeros
                parameter += 0.2 * torch.randn_like(parameter)
    model.to(dtype).save_pretrained(directory, max_shard_size=shard)
    tokenizer().save_pretrained(directory)
    if change:
        change(directory)
    (directory / "generation_config.json").unlink(missing_ok=True)

    # Expected values come from the saved files, in f32.
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32).eval()
    ids = torch.tensor([tokenizer()(TEXT)["input_ids"]])
    with torch.no_grad():
        found = model(ids, labels=ids)
    expected = {
        "text": TEXT, "loss": round(found.loss.item(), 6),
        "logits": [round(logit, 5) for logit in found.logits[0, -1].tolist()],
    }
    (directory / "expected.json").write_text(json.dumps(expected) + "\n")
    print(name, f"loss {found.loss.item():.4f}")
