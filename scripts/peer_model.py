"""tinygpt's models in plain PyTorch, for scripts/peer.py.

    pip install torch safetensors

Covers both backbones, every pointwise activation gated and ungated, and tied and untied heads. `load_checkpoint` reads a
tinygpt checkpoint. Query, key and value projections are one matrix here, which is faster.
"""

import json
import math
import pathlib

import torch
import torch.nn.functional as F
from torch import nn

WEIGHT_DECAY, BETAS, EPS, CLIP = 0.1, (0.9, 0.99), 1e-8, 1.0

POINTWISE = {
    "relu": F.relu,
    "gelu": F.gelu,
    "gelu_pytorch_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "silu": F.silu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu2": lambda x: F.relu(x).square(),
    "leaky_relu": F.leaky_relu,
    "elu": F.elu,
    "selu": F.selu,
    "softplus": F.softplus,
    "mish": F.mish,
    "quick_gelu": lambda x: x * torch.sigmoid(1.702 * x),
    "linear": lambda x: x,
}
POINTWISE |= {"gelu_tanh": POINTWISE["gelu_pytorch_tanh"], "identity": POINTWISE["linear"]}
GATED = {"swiglu": "silu", "geglu": "gelu", "reglu": "relu", "glu": "sigmoid", "bilinear": "linear"}


class Config:
    def __init__(self, backbone, act, layers, dim, heads, ffn_dim, context, vocab,
                 kv_heads=None, gated=None, tied=True, eps=1e-5, theta=1e4):
        function = act.removeprefix("glu:")
        self.gated = (function != act or act in GATED) if gated is None else gated
        self.function = POINTWISE[GATED.get(act, function)]
        self.ffn_dim = ffn_dim or (8 * max(1, round(dim / 3)) if self.gated else 4 * dim)
        self.llama, self.layers, self.dim, self.heads = backbone == "llama", layers, dim, heads
        self.context, self.vocab, self.tied, self.eps, self.theta = context, vocab, tied, eps, theta
        self.kv_heads, self.head_dim = kv_heads or heads, dim // heads

    def norm(self):
        return (nn.RMSNorm if self.llama else nn.LayerNorm)(self.dim, eps=self.eps)

    def linear(self, inputs, outputs):
        return nn.Linear(inputs, outputs, bias=not self.llama)


class Attention(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.heads, self.kv_heads, self.head_dim = config.heads, config.kv_heads, config.head_dim
        self.qkv = config.linear(config.dim, (self.heads + 2 * self.kv_heads) * self.head_dim)
        self.out = config.linear(config.dim, config.dim)

    def forward(self, x, rope):
        batch, length, dim = x.shape
        qkv = self.qkv(x).view(batch, length, -1, self.head_dim)
        qk, v = qkv.split([self.heads + self.kv_heads, self.kv_heads], dim=2)
        if rope is not None:  # one rotation for queries and keys together
            cos, sin = rope
            first, second = qk.chunk(2, dim=-1)
            qk = torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)
        q, k = qk.split([self.heads, self.kv_heads], dim=2)
        q, k, v = (each.transpose(1, 2) for each in (q, k, v))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=self.heads != self.kv_heads)
        return self.out(y.transpose(1, 2).reshape(batch, length, dim))


class Ffn(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.function = config.function
        self.gate = config.linear(config.dim, config.ffn_dim) if config.gated else None
        self.up = config.linear(config.dim, config.ffn_dim)
        self.down = config.linear(config.ffn_dim, config.dim)

    def forward(self, x):
        if self.gate is None:
            return self.down(self.function(self.up(x)))
        return self.down(self.function(self.gate(x)) * self.up(x))


class Block(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.norm1, self.attention = config.norm(), Attention(config)
        self.norm2, self.ffn = config.norm(), Ffn(config)

    def forward(self, x, rope):
        x = x + self.attention(self.norm1(x), rope)
        return x + self.ffn(self.norm2(x))


class Gpt(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.tokens = nn.Embedding(config.vocab, config.dim)
        if config.llama:
            halves = torch.arange(0, config.head_dim, 2, dtype=torch.float64) / config.head_dim
            dtype = torch.get_default_dtype()
            angles = torch.outer(torch.arange(config.context), config.theta**-halves)[:, None, :]
            self.register_buffer("cos", angles.cos().to(dtype), persistent=False)
            self.register_buffer("sin", angles.sin().to(dtype), persistent=False)
        else:
            self.positions = nn.Embedding(config.context, config.dim)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = config.norm()
        self.head = nn.Linear(config.dim, config.vocab, bias=False)
        if config.tied:
            self.head.weight = self.tokens.weight
        std = math.sqrt(2 / (5 * config.dim))
        for name, p in self.named_parameters():
            if name.endswith(".bias"):
                nn.init.zeros_(p)
            elif p.dim() == 2:
                to_residual = name.endswith(("attention.out.weight", "ffn.down.weight"))
                nn.init.normal_(p, std=std / math.sqrt(2 * config.layers) if to_residual else std)

    def forward(self, inputs, targets):
        """Returns the mean loss of predicting `targets`."""
        length = inputs.shape[1]
        x, rope = self.tokens(inputs), None
        if self.config.llama:
            rope = self.cos[:length], self.sin[:length]
        else:
            x = x + self.positions.weight[:length]
        for block in self.blocks:
            x = block(x, rope)
        return F.cross_entropy(self.head(self.norm(x)).flatten(0, 1), targets.flatten())


def load_checkpoint(directory):
    """Loads the model of a checkpoint in Hugging Face's format."""
    from safetensors.torch import load_file

    directory = pathlib.Path(directory)
    c = json.loads((directory / "config.json").read_text())
    kind = c.get("backbone", c["model_type"])
    common = {"vocab": c["vocab_size"], "tied": c["tie_word_embeddings"]}
    if kind == "gpt2":
        config = Config(
            "gpt2", c["activation_function"], c["n_layer"], c["n_embd"], c["n_head"], c["n_inner"],
            c["n_positions"], eps=c["layer_norm_epsilon"], **common)
    else:
        config = Config(
            "llama", c["hidden_act"], c["num_hidden_layers"], c["hidden_size"], c["num_attention_heads"],
            c["intermediate_size"], c["max_position_embeddings"], kv_heads=c["num_key_value_heads"],
            gated={"llama": True, "arcee": False}.get(c["model_type"]),
            eps=c["rms_norm_eps"], theta=c["rope_parameters"]["rope_theta"], **common)
    model, stored = Gpt(config), load_file(directory / "model.safetensors")

    def fill(module, *names, transpose=False):
        for suffix, p in module.named_parameters(recurse=False):
            # A checkpoint may store one of our projections as several tensors.
            value = torch.cat([stored.pop(f"{name}.{suffix}") for name in names])
            p.data.copy_(value.t() if transpose and p.dim() == 2 else value)

    if config.llama:
        fill(model.tokens, "model.embed_tokens")
        fill(model.norm, "model.norm")
        for i, block in enumerate(model.blocks):
            at = f"model.layers.{i}"
            fill(block.norm1, f"{at}.input_layernorm")
            fill(block.attention.qkv, *(f"{at}.self_attn.{x}_proj" for x in "qkv"))
            fill(block.attention.out, f"{at}.self_attn.o_proj")
            fill(block.norm2, f"{at}.post_attention_layernorm")
            for name in ("gate", "up", "down") if config.gated else ("up", "down"):
                fill(getattr(block.ffn, name), f"{at}.mlp.{name}_proj")
    else:
        fill(model.tokens, "transformer.wte")
        fill(model.positions, "transformer.wpe")
        fill(model.norm, "transformer.ln_f")
        names = {"up": "c_fc", "down": "c_proj"} | ({"gate": "c_gate"} if config.gated else {})
        for i, block in enumerate(model.blocks):
            at = f"transformer.h.{i}"
            fill(block.norm1, f"{at}.ln_1")
            fill(block.attention.qkv, f"{at}.attn.c_attn", transpose=True)
            fill(block.attention.out, f"{at}.attn.c_proj", transpose=True)
            fill(block.norm2, f"{at}.ln_2")
            for name, theirs in names.items():
                fill(getattr(block.ffn, name), f"{at}.mlp.{theirs}", transpose=True)
    if not config.tied:
        fill(model.head, "lm_head")
    assert not stored, f"tensors that aren't in the model: {sorted(stored)}"
    return model


def adamw(model, lr):
    groups = [
        {"params": [p for p in model.parameters() if p.dim() >= 2], "weight_decay": WEIGHT_DECAY},
        {"params": [p for p in model.parameters() if p.dim() < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=lr, betas=BETAS, eps=EPS, fused=True)
