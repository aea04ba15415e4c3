#!/usr/bin/env python3
"""Some steps of LoRA fine-tuning by PyTorch and PEFT, as reference for this package's trainer.

usage: peft_train.py [OUT]    (default: the folder of this script; versions are in the files)

The base models are the tiny random ones of worker/engine/testdata. The adapter's initial matrices and the order of
the examples come from this project's generator (splitmix64), written again here. Everything else is PEFT's and
PyTorch's own: forward, backward, clip_grad_norm_, AdamW, the schedulers. Batches are padded to the right.

train_NAME.json has the configuration, the examples, and per step the loss, the gradient norm and the learning rate;
train_NAME.safetensors has the adapter after the last step, under PEFT's names.
"""
import json, os, sys
import torch, transformers, peft
from safetensors.torch import save_file
from torch.optim.lr_scheduler import ConstantLR, CosineAnnealingLR, LinearLR, SequentialLR
from transformers import AutoModelForCausalLM

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = sys.argv[1] if len(sys.argv) > 1 else HERE
MODELS = os.path.join(HERE, "../../engine/testdata/models")
ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
VOCAB, MASK = 96, (1 << 64) - 1

RUNS = {  # the names of finetune.Config's fields
    "llama": dict(Rank=4, Alpha=8, RSLoRA=False, Targets=ALL, LearningRate=5e-3, Schedule="cosine", WarmupRatio=0.25,
                  WeightDecay=0.0, ClipNorm=1.0, Epochs=6, BatchSize=4, Accumulation=1, Seed=11),
    "qwen3": dict(Rank=8, Alpha=16, RSLoRA=True, Targets=ALL, LearningRate=2e-3, Schedule="linear", WarmupRatio=0.1,
                  WeightDecay=0.1, ClipNorm=0.3, Epochs=6, BatchSize=2, Accumulation=2, Seed=12),
    "qwen2": dict(Rank=3, Alpha=6, RSLoRA=False, Targets=["q_proj", "v_proj", "down_proj"], LearningRate=1e-2,
                  Schedule="constant", WarmupRatio=0.0, WeightDecay=0.01, ClipNorm=100.0, Epochs=5, BatchSize=1,
                  Accumulation=7, Seed=13),
}


def finalise(z):
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


class Splitmix:
    def __init__(self, seed):
        self.state = seed

    def next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        return finalise(self.state)

    def uniform(self, shape, bound):
        n = shape[0] * shape[1]
        v = [(2 * ((self.next() >> 11) / (1 << 53)) - 1) * bound for _ in range(n)]
        return torch.tensor(v, dtype=torch.float64).float().reshape(shape)


def order(n, seed, epoch):
    first = lambda z: Splitmix(z).next()
    rng = Splitmix(first(seed) ^ first(epoch + 1))
    out = list(range(n))
    for i in range(n - 1, 0, -1):
        # the state itself is advanced, and then mixed as a seed is
        rng.state = (rng.state + 0x9E3779B97F4A7C15) & MASK
        j = first(rng.state) % (i + 1)
        out[i], out[j] = out[j], out[i]
    return out


def run(name, c):
    net = AutoModelForCausalLM.from_pretrained(os.path.join(MODELS, name), dtype=torch.float32, attn_implementation="eager")
    net = peft.get_peft_model(net, peft.LoraConfig(r=c["Rank"], lora_alpha=c["Alpha"], use_rslora=c["RSLoRA"],
                                                   target_modules=c["Targets"], lora_dropout=0.0))
    net.train()
    params = dict(net.named_parameters())
    rng = Splitmix(c["Seed"])
    for layer in range(net.config.num_hidden_layers):
        for t in [t for t in ALL if t in c["Targets"]]:
            part = "mlp" if t in ALL[4:] else "self_attn"
            w = params[f"base_model.model.model.layers.{layer}.{part}.{t}.lora_A.default.weight"]
            with torch.no_grad():
                w.copy_(rng.uniform(w.shape, 1 / w.shape[1] ** 0.5))
    train = [p for p in params.values() if p.requires_grad]
    gen = torch.Generator().manual_seed(c["Seed"])
    draw = lambda lo, hi: torch.randint(3, VOCAB, (int(torch.randint(lo, hi, (1,), generator=gen)),), generator=gen).tolist()
    examples = [dict(Prompt=draw(2, 12), Answer=draw(1, 9), End=[2]) for _ in range(7)]
    size = c["BatchSize"] * c["Accumulation"]
    per_epoch = -(-len(examples) // size)
    steps = per_epoch * c["Epochs"]
    warmup = min(int(c["WarmupRatio"] * steps), steps - 1)
    opt = torch.optim.AdamW(train, lr=c["LearningRate"], betas=(0.9, 0.99), eps=1e-8, weight_decay=c["WeightDecay"])
    after = {"cosine": lambda: CosineAnnealingLR(opt, steps - warmup, eta_min=c["LearningRate"] / 10),
             "linear": lambda: LinearLR(opt, 1, 0, total_iters=steps - warmup),
             "constant": lambda: ConstantLR(opt, 1, 1)}[c["Schedule"]]
    if warmup > 1:
        sched = SequentialLR(opt, [LinearLR(opt, 1 / warmup, total_iters=warmup - 1), after()], [warmup])
    elif warmup == 1:
        sched = SequentialLR(opt, [ConstantLR(opt, 1, 1), after()], [1])
    else:
        sched = after()
    done = []
    for step in range(steps):
        mine = order(len(examples), c["Seed"], step // per_epoch)[step % per_epoch * size:][:size]
        total = sum(len(examples[i]["Answer"]) + 1 for i in mine)
        opt.zero_grad()
        loss = 0.0
        for at in range(0, len(mine), c["BatchSize"]):
            batch = [examples[i] for i in mine[at:at + c["BatchSize"]]]
            rows = [e["Prompt"] + e["Answer"] + e["End"] for e in batch]
            width = max(map(len, rows))
            ids = torch.tensor([r + [0] * (width - len(r)) for r in rows])
            seen = torch.tensor([[1] * len(r) + [0] * (width - len(r)) for r in rows])
            labels = torch.tensor([[-100] * len(e["Prompt"]) + e["Answer"] + e["End"] + [-100] * (width - len(r))
                                   for e, r in zip(batch, rows)])
            logits = net(input_ids=ids, attention_mask=seen).logits
            part = torch.nn.functional.cross_entropy(logits[:, :-1].reshape(-1, VOCAB), labels[:, 1:].reshape(-1),
                                                     ignore_index=-100, reduction="sum") / total
            part.backward()
            loss += float(part.detach())
        norm = float(torch.nn.utils.clip_grad_norm_(train, c["ClipNorm"]))
        done.append(dict(Loss=loss, GradNorm=norm, LR=opt.param_groups[0]["lr"]))
        opt.step()
        sched.step()
    json.dump(dict(Versions=dict(torch=torch.__version__, transformers=transformers.__version__, peft=peft.__version__),
                   Config=c, Examples=examples, Steps=done), open(os.path.join(OUT, f"train_{name}.json"), "w"), indent=None)
    save_file({n.replace(".default", ""): p.detach().contiguous() for n, p in params.items() if p.requires_grad},
              os.path.join(OUT, f"train_{name}.safetensors"), {"format": "pt"})
    print(name, steps, "steps, loss", done[0]["Loss"], "->", done[-1]["Loss"])


for name, c in RUNS.items():
    run(name, c)
