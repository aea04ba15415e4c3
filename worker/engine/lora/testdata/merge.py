#!/usr/bin/env python3
"""Adapters merged by PEFT's add_weighted_adapter, to compare with.

usage: merge.py [OUT]    (default: merge/ beside this script)

Versions that made the committed files are in merge/versions.json. Parents are random: a and b have rank 4, c has rank 2,
other targets and rank-stabilised scaling. merge/NAME.json says how each merged adapter was made. What DARE drops comes from
the generator that its method's documentation describes, written again here, in the place of torch.bernoulli.
"""
import hashlib, json, os, re, struct, sys
import numpy as np, torch, peft, transformers
from peft import LoraConfig, get_peft_model
from peft.tuners.lora.model import LoraModel
from peft.utils import merge_utils
from transformers import LlamaConfig, LlamaForCausalLM

OUT = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "merge")
MODEL = dict(vocab_size=32, hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2)
PARENTS = {
    "a": dict(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj", "down_proj"]),
    "b": dict(r=4, lora_alpha=6, target_modules=["q_proj", "k_proj", "v_proj", "down_proj"]),
    "c": dict(r=2, lora_alpha=3, use_rslora=True, target_modules=["v_proj", "up_proj"]),
}
AB, ABC = {"a": 0.75, "b": -0.5}, {"a": 0.75, "b": 0.5, "c": 1.25}
MERGES = {
    "cat": dict(parents=ABC, method="cat"),
    "svd": dict(parents=ABC, method="svd", rank=5),
    "linear": dict(parents=AB, method="linear"),
    "ties": dict(parents=AB, method="ties", density=0.5),
    "ties_frequency": dict(parents=AB, method="ties", density=0.7, frequency=True),
    "ties_svd": dict(parents=ABC, method="ties_svd", density=0.3, rank=6),
    "dare_linear": dict(parents=AB, method="dare_linear", density=0.6, seed=7),
    "dare_linear_svd": dict(parents=ABC, method="dare_linear_svd", density=0.6, rank=8, seed=8),
    "dare_ties": dict(parents=AB, method="dare_ties", density=0.4, seed=9),
    "dare_ties_svd": dict(parents=ABC, method="dare_ties_svd", density=0.4, rank=3, seed=10),
    "magnitude_prune": dict(parents=AB, method="magnitude_prune", density=0.45),
    "magnitude_prune_svd": dict(parents=ABC, method="magnitude_prune_svd", density=0.45, rank=4),
}
MASK = (1 << 64) - 1


def stream(state):
    """splitmix64 as numbers in [0, 1)."""
    while True:
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        yield ((z ^ (z >> 31)) >> 11) / (1 << 53)


class Drops:
    """Stands for torch.bernoulli while one module is merged: it knows whose turn it is."""

    def __init__(self, seed, names):
        self.seed, self.names, self.turns = seed, names, []

    def enter(self, adapters, target, tensors):
        layer, path = re.search(r"layers\.(\d+)\.(.+)$", self.names[target]).groups()
        have = [a for a in adapters if a in target.lora_A]
        self.turns = [(a, layer, path, t) for t in tensors for a in have]

    def __call__(self, probabilities):
        key, layer, path, tensor = self.turns.pop(0)
        seed = hashlib.sha256("\0".join(["dare", str(self.seed), key, layer, path, tensor]).encode()).digest()
        gen = stream(struct.unpack("<Q", seed[:8])[0])
        density = self.density
        keep = [1.0 if next(gen) < density else 0.0 for _ in range(probabilities.numel())]
        return torch.tensor(keep).reshape(probabilities.shape)


def main():
    torch.manual_seed(3)
    model = None
    for name, conf in PARENTS.items():
        conf = LoraConfig(task_type="CAUSAL_LM", **conf)
        if model is None:
            model = get_peft_model(LlamaForCausalLM(LlamaConfig(**MODEL)), conf, adapter_name=name)
        else:
            model.add_adapter(name, conf)
    with torch.no_grad():
        for n, p in sorted(model.named_parameters()):
            if "lora_" in n:
                p.copy_(torch.randn(p.shape) * 0.3)
    names = {m: n for n, m in model.named_modules()}
    lora = model.base_model
    factors, changes = LoraModel._generalized_task_arithmetic_weighted_adapter, LoraModel._svd_generalized_task_arithmetic_weighted_adapter
    for name, m in MERGES.items():
        drops = Drops(m.get("seed", 0), names)
        drops.density = m.get("density", 1.0)

        def on_factors(self, kind, adapters, weights, target, *rest):
            drops.enter(adapters, target, ["A", "B"])
            return factors(self, kind, adapters, weights, target, *rest)

        def on_changes(self, kind, adapters, weights, rank, target, *rest, **more):
            drops.enter(adapters, target, ["delta"])
            return changes(self, kind, adapters, weights, rank, target, *rest, **more)

        LoraModel._generalized_task_arithmetic_weighted_adapter = on_factors
        LoraModel._svd_generalized_task_arithmetic_weighted_adapter = on_changes
        merge_utils.torch.bernoulli, true = drops, torch.bernoulli
        lora.add_weighted_adapter(list(m["parents"]), list(m["parents"].values()), name, combination_type=m["method"],
                                  svd_rank=m.get("rank"), density=m.get("density"),
                                  majority_sign_method="frequency" if m.get("frequency") else "total")
        merge_utils.torch.bernoulli = true
    model.save_pretrained(OUT, selected_adapters=list(PARENTS) + list(MERGES))
    for name in list(PARENTS) + list(MERGES):
        os.remove(os.path.join(OUT, name, "README.md")) if os.path.exists(os.path.join(OUT, name, "README.md")) else None
        if name in MERGES:
            json.dump(MERGES[name], open(os.path.join(OUT, name + ".json"), "w"))
    if os.path.exists(os.path.join(OUT, "README.md")):
        os.remove(os.path.join(OUT, "README.md"))
    json.dump({m.__name__: m.__version__ for m in (torch, transformers, peft, np)}, open(os.path.join(OUT, "versions.json"), "w"), indent=1)


main()
