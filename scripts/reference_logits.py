"""Logits of tiny models from transformers in f64, after the last layer and as they would be after the first,
for the tests in src/model/tests.rs.

    pip install torch transformers
    python scripts/reference_logits.py > src/model/transformers_logits.in

Weights are a formula of (name, index), which the test repeats: no file has to be shared.
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


# (backbone, our activation, key/value heads, tied) and the same for transformers
CASES = [
    ("llama", "swiglu", 4, True, llama(LlamaConfig, "silu", 4, True)),
    ("llama", "geglu", 2, False, llama(LlamaConfig, "gelu", 2, False)),
    ("llama", "relu2", 1, True, llama(ArceeConfig, "relu2", 1, True)),
    ("llama", "mish", 4, False, llama(ArceeConfig, "mish", 4, False)),
    ("gpt2", "gelu_tanh", 4, True, gpt2("gelu_new", True)),
    ("gpt2", "leaky_relu", 4, False, gpt2("leaky_relu", False)),
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
        # Hidden states begin with the embedding.
        early = model.lm_head(final_norm(output.hidden_states[1]))
    values = [logits[0, -1].tolist() for logits in (output.logits, early)]
    assert all(map(math.isfinite, sum(values, [])))
    shown = ", ".join(f"[{', '.join(map(repr, logits))}]" for logits in values)
    print(f'    ("{backbone}", "{act}", {kv_heads}, {str(tied).lower()}, {shown}),')
print("]")
