"""Prints logits of tiny models from transformers in f64, for the tests in src/model/tests.rs.

Each model gives its final logits and the logits of its first layer (through the final norm and the head). The models
cover every activation that transformers implements, gated and ungated, on both backbones, with tied and untied heads
and grouped key/value heads.

    pip install torch transformers
    python scripts/reference_logits.py > src/model/transformers_logits.in

Weights are a formula of (name, index) that the test repeats, so no file has to be shared.
"""

import math

import torch
import transformers
from transformers import ArceeConfig, GPT2Config, LlamaConfig

TOKENS = [3, 1, 4, 1, 5, 9]
COMMON = dict(vocab_size=11, bos_token_id=None, eos_token_id=None)


def llama(config, act, kv_heads, tied):
    return config(
        **COMMON, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=kv_heads, max_position_embeddings=8, hidden_act=act, rms_norm_eps=1e-5,
        rope_theta=10000.0, tie_word_embeddings=tied,
    )


def gpt2(act, tied):
    return GPT2Config(
        **COMMON, n_embd=16, n_inner=24, n_layer=2, n_head=4, n_positions=8, activation_function=act,
        layer_norm_epsilon=1e-5, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, tie_word_embeddings=tied,
    )


# transformers' names for the functions in data/activations.toml.
ACTS = {
    "relu": "relu", "gelu": "gelu", "gelu_tanh": "gelu_pytorch_tanh", "silu": "silu", "sigmoid": "sigmoid",
    "tanh": "tanh", "relu2": "relu2", "leaky_relu": "leaky_relu", "mish": "mish", "quick_gelu": "quick_gelu",
    "identity": "linear",
}

# (backbone, our activation, key/value heads, tied, transformers config)
CASES = [
    case
    for ours, theirs in ACTS.items()
    for tied in (True, False)
    for case in [
        *(("llama", f"glu:{ours}", heads, tied, llama(LlamaConfig, theirs, heads, tied)) for heads in (4, 2, 1)),
        *(("llama", ours, heads, tied, llama(ArceeConfig, theirs, heads, tied)) for heads in (4, 2, 1)),
        ("gpt2", ours, 4, tied, gpt2(theirs, tied)),
    ]
]


def fill(model):
    for name, parameter in model.named_parameters():
        k = torch.arange(parameter.numel(), dtype=torch.float64)
        values = 0.3 * torch.sin(0.37 * k + sum(name.encode()))
        if parameter.dim() == 1 and name.endswith("weight"):
            values += 1.0
        with torch.no_grad():
            parameter.copy_(values.reshape(parameter.shape))


print("// Made by scripts/reference_logits.py with transformers", transformers.__version__)
print("&[")
for backbone, act, kv_heads, tied, config in CASES:
    torch.set_default_dtype(torch.float64)
    model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float64).eval()
    fill(model)
    with torch.no_grad():
        output = model(torch.tensor([TOKENS]), output_hidden_states=True)
        final_norm = model.transformer.ln_f if backbone == "gpt2" else model.model.norm
        # hidden_states[0] is the embedding.
        early = model.lm_head(final_norm(output.hidden_states[1]))
    values = [logits[0, -1].tolist() for logits in (output.logits, early)]
    assert all(map(math.isfinite, sum(values, [])))
    shown = ", ".join(f"[{', '.join(f'{logit:.8f}' for logit in logits)}]" for logits in values)
    print(f'    ("{backbone}", "{act}", {kv_heads}, {str(tied).lower()}, {shown}),')
print("]")
