"""Runs the same work in PyTorch, for speed comparisons and for expected values in tests.

    pip install torch safetensors transformers
    python scripts/peer.py train --backbone gpt2 --act gelu --mode eager
    python scripts/peer.py generate --tokens 255
    tinygpt train --data text.txt --steps 1 --warmup 0 --lr 1e-30 --out initial
    python scripts/peer.py losses initial/last --batches 1

`train` times training on random tokens. `generate` times transformers' greedy generation with random weights; only this
command needs transformers. `losses` trains ten steps from the weights of a tinygpt checkpoint and prints the loss before
each step. All three print one line of JSON.

The tokens of `losses` come from a formula that a test can repeat with 64-bit integers: x(0) = 1, x(i + 1) =
6364136223846793005 x(i) + 1442695040888963407 mod 2^64, token i = (x(i) >> 33) mod vocabulary. Each row takes the next
context + 1 tokens, row by row and step by step. All but the last are its inputs, all but the first its targets. The
batches repeat after --batches steps. With one batch the losses fall far enough that a wrong optimizer constant shows in
the third decimal.
"""

import argparse
import ctypes
import json
import math
import resource
import statistics
import time
from itertools import islice

import torch


def peak_rss_mb():
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


IMPORT_RSS_MB = peak_rss_mb()

from peer_model import CLIP, Config, Gpt, adamw, load_checkpoint


def keep_freed_memory():
    """Makes glibc reuse large buffers. Otherwise every step pays a page fault for each fresh page."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD
        mallopt(-4, 0)  # M_MMAP_MAX
    except (OSError, AttributeError):
        pass


def train_step(model, loss_of, optimizer, inputs, targets, bf16=False):
    """Makes one update and returns the loss before it. `bf16` runs the forward pass under autocast."""
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        loss = loss_of(inputs, targets)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return loss


def report(**figures):
    figures |= {"peak_rss_mb": peak_rss_mb(), "import_rss_mb": IMPORT_RSS_MB, "torch": torch.__version__}
    print(json.dumps(figures))


def train(args):
    torch.manual_seed(1)
    config = Config(args.backbone, args.act, args.layers, args.dim, args.heads, args.ffn_dim, args.context,
                    args.vocab, kv_heads=args.kv_heads)
    model = Gpt(config)
    loss_of = torch.compile(model, dynamic=False) if args.mode == "compile" else model
    optimizer = adamw(model, lr=1e-3)
    seconds = []
    for _ in range(args.warmup_steps + args.steps):
        rows = torch.randint(args.vocab, (args.batch, args.context + 1))
        inputs, targets = rows[:, :-1].contiguous(), rows[:, 1:].contiguous()
        start = time.perf_counter()
        train_step(model, loss_of, optimizer, inputs, targets, args.bf16)
        seconds.append(time.perf_counter() - start)
    step = statistics.median(seconds[args.warmup_steps :])
    report(tokens_per_second=round(args.batch * args.context / step, 1), step_ms=round(1000 * step, 3),
           parameters=sum(p.numel() for p in model.parameters()), mode=args.mode, bf16=args.bf16)


def generate(args):
    import transformers

    torch.manual_seed(1)
    config = transformers.LlamaConfig(
        vocab_size=args.vocab, hidden_size=args.dim, intermediate_size=args.ffn_dim,
        num_hidden_layers=args.layers, num_attention_heads=args.heads,
        num_key_value_heads=args.kv_heads or args.heads, max_position_embeddings=args.context,
        rms_norm_eps=1e-5, tie_word_embeddings=True, bos_token_id=None, eos_token_id=None, pad_token_id=0,
    )
    model = transformers.LlamaForCausalLM(config).eval()
    prompt = torch.tensor([[1]])
    seconds = []
    with torch.inference_mode():
        for _ in range(1 + args.turns):
            start = time.perf_counter()
            # There is no end-of-text token, so every turn generates the full length.
            ids = model.generate(prompt, attention_mask=torch.ones_like(prompt), do_sample=False,
                                 max_new_tokens=args.tokens, use_cache=True)
            seconds.append(time.perf_counter() - start)
            assert ids.shape[1] == 1 + args.tokens
    report(tokens_per_second=round(args.tokens / statistics.median(seconds[1:]), 1),
           parameters=model.num_parameters(), transformers=transformers.__version__)


def formula_tokens(vocab):
    x = 1
    while True:
        yield (x >> 33) % vocab
        x = (x * 6364136223846793005 + 1442695040888963407) % 2**64


def losses(args):
    torch.set_default_dtype(getattr(torch, args.dtype))
    model = load_checkpoint(args.checkpoint)
    config, optimizer = model.config, adamw(model, args.lr)
    shape = (args.batches, args.batch, config.context + 1)
    batches = torch.tensor(list(islice(formula_tokens(config.vocab), math.prod(shape)))).view(shape)
    found = []
    for step in range(args.steps):
        rows = batches[step % args.batches]
        found.append(train_step(model, model, optimizer, rows[:, :-1], rows[:, 1:]).item())
    print(json.dumps({"losses": found, "lr": args.lr, "batch": args.batch, "batches": args.batches,
                      "dtype": args.dtype, "torch": torch.__version__}))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(required=True)

    def command(run):
        added = commands.add_parser(run.__name__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
        added.set_defaults(run=run)
        added.add_argument("--threads", type=int, default=2)
        return added

    def shape(to, **defaults):
        for name, default in defaults.items():
            to.add_argument("--" + name.replace("_", "-"), type=int, default=default)
        to.add_argument("--kv-heads", type=int, help="default: --heads")

    p = command(train)
    p.add_argument("--backbone", choices=["gpt2", "llama"], default="gpt2")
    p.add_argument("--act", default="gelu", help="same names as tinygpt's --act")
    p.add_argument("--mode", choices=["eager", "compile"], default="eager")
    p.add_argument("--bf16", action="store_true", help="forward pass under autocast to bfloat16")
    shape(p, layers=4, dim=128, heads=4, context=64, batch=12, vocab=65, steps=50, warmup_steps=10)
    p.add_argument("--ffn-dim", type=int, help="default: 4 * dim, or 8/3 * dim rounded to a multiple of 8 if gated")

    p = command(generate)
    shape(p, layers=6, dim=288, heads=6, ffn_dim=768, context=256, vocab=32000, tokens=255, turns=3)

    p = command(losses)
    p.add_argument("checkpoint", help="directory of a tinygpt checkpoint")
    p.add_argument("--batch", type=int, default=4, help="rows per batch")
    p.add_argument("--batches", type=int, default=10, help="number of different batches")
    p.add_argument("--steps", type=int, default=10)
    p.add_argument("--lr", type=float, default=1e-3)
    p.add_argument("--dtype", choices=["float32", "float64"], default="float32")

    args = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(args.threads)
    args.run(args)


if __name__ == "__main__":
    main()
