"""S-LoRA's workload through PEFT on PyTorch: adapters are switched, one at a time.

The requests are those of the Go benchmark (same generator, same seed). Requests of the adapter that waits longest are
served as one batch, then the next adapter is activated, as in S-LoRA's own PEFT baseline. Prints one JSON line.

    PYTHON worker/engine/lorabench/peft_bench.py --shape mid --adapters 100 --seconds 10

Needs torch, transformers, peft and numpy; their versions are in the output. Nothing here comes from the Go code: the
model has random weights of the same shape, and what is measured is time.
"""
import argparse
import json
import time

import numpy as np
import peft
import torch
import transformers
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

SHAPES = {  # of rig.go
    "small": dict(hidden_size=256, intermediate_size=704, num_hidden_layers=4, num_attention_heads=8, num_key_value_heads=4, head_dim=32),
    "mid": dict(hidden_size=1024, intermediate_size=2816, num_hidden_layers=8, num_attention_heads=16, num_key_value_heads=4, head_dim=64),
}
DEFAULTS = {"small": (30, 512), "mid": (6, 128)}  # rate, longest, as in run/main.go


def workload(a):
    np.random.seed(a.seed)
    total = int(a.rate * a.seconds)
    adapters = (np.random.power(a.alpha, total) * a.adapters).astype(int)
    prompts = np.random.randint(a.min_len, a.max_len, total)
    outputs = np.random.randint(a.min_len, a.max_len, total)
    at = np.cumsum(np.random.gamma(1 / a.cv**2, a.cv**2 / a.rate, total))
    return [dict(at=float(t), adapter=int(n), prompt=int(p), output=int(o)) for t, n, p, o in zip(at, adapters, prompts, outputs)]


def build(a):
    torch.manual_seed(1)
    config = LlamaConfig(vocab_size=4096, max_position_embeddings=2048, tie_word_embeddings=True, **SHAPES[a.shape])
    model = LlamaForCausalLM(config).to(getattr(torch, a.dtype)).eval()
    lora = lambda: LoraConfig(r=a.rank, lora_alpha=2 * a.rank, target_modules=["q_proj", "k_proj", "v_proj", "o_proj"], lora_dropout=0.0)
    model = get_peft_model(model, lora(), adapter_name="a0", autocast_adapter_dtype=False)
    for i in range(1, a.adapters):
        model.add_adapter(f"a{i}", lora(), autocast_adapter_dtype=False)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "lora_B" in name:
                p.normal_(0, 0.01)
            if "lora_" in name:
                p.data = p.data.to(getattr(torch, a.dtype))
    return model


@torch.inference_mode()
def serve(model, batch, until=float("inf")):
    """Greedy decoding of one left-padded batch; every request stops at its own length, all of them at the time until.
    Returns the time of the first token."""
    width = max(q["prompt"] for q in batch)
    ids = torch.randint(3, 4096, (len(batch), width))
    mask = torch.zeros_like(ids)
    for i, q in enumerate(batch):
        mask[i, width - q["prompt"]:] = 1
    past, first = None, None
    for step in range(max(q["output"] for q in batch)):
        out = model(input_ids=ids, attention_mask=mask, past_key_values=past, use_cache=True, logits_to_keep=1)
        past = out.past_key_values
        ids = out.logits[:, -1:].argmax(-1)
        mask = torch.cat([mask, torch.ones(len(batch), 1, dtype=mask.dtype)], 1)
        now = time.perf_counter()
        first = first or now
        for q in batch:
            if step + 1 == q["output"]:
                q["end"] = now
        if now > until:
            break
    return first


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--shape", choices=SHAPES, default="mid")
    p.add_argument("--adapters", type=int, default=100)
    p.add_argument("--rank", type=int, default=8)
    p.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    p.add_argument("--mode", choices=["switch", "merge"], default="switch", help="activate the adapter, or merge it into the weights and out again")
    p.add_argument("--rate", type=float)
    p.add_argument("--seconds", type=float, default=10)
    p.add_argument("--min-len", type=int, default=8)
    p.add_argument("--max-len", type=int)
    p.add_argument("--alpha", type=float, default=1)
    p.add_argument("--cv", type=float, default=1)
    p.add_argument("--seed", type=int, default=42)
    p.add_argument("--batch", type=int, default=32)
    p.add_argument("--threads", type=int, default=0)
    p.add_argument("--limit", type=float, default=0, help="give up after so many seconds (default: 10 times --seconds)")
    a = p.parse_args()
    a.rate, a.max_len = a.rate or DEFAULTS[a.shape][0], a.max_len or DEFAULTS[a.shape][1]
    a.limit = a.limit or 10 * a.seconds
    if a.threads:
        torch.set_num_threads(a.threads)
    model = build(a)
    model.set_adapter("a0")
    serve(model, [dict(prompt=8, output=4)])  # warm up
    waiting, done, ttft, switches, active = workload(a), [], [], 0, -1
    total, start, cpu = len(waiting), time.perf_counter(), time.process_time()
    while waiting and time.perf_counter() - start < a.limit:
        time.sleep(max(0, waiting[0]["at"] - (time.perf_counter() - start)))
        now, batch, rest = time.perf_counter() - start, [], []
        for q in waiting:
            same = q["at"] <= now and q["adapter"] == waiting[0]["adapter"] and len(batch) < a.batch
            (batch if same else rest).append(q)
        if active != batch[0]["adapter"]:
            switches += 1
            if a.mode == "merge" and active >= 0:
                model.base_model.unmerge_adapter()
            active = batch[0]["adapter"]
            model.set_adapter(f"a{active}")
            if a.mode == "merge":
                model.base_model.merge_adapter()
        first = serve(model, batch, start + a.limit) - start
        ttft += [first - q["at"] for q in batch]
        done += [q for q in batch if "end" in q]
        waiting = rest
    wall = max([q["end"] for q in done], default=time.perf_counter()) - start
    print(json.dumps(dict(
        torch=torch.__version__, transformers=transformers.__version__, peft=peft.__version__, threads=torch.get_num_threads(),
        shape=a.shape, dtype=a.dtype, mode=a.mode, adapters=a.adapters, requests=total, done=len(done), switches=switches, seconds=round(wall, 3),
        throughput=round(len(done) / wall, 4), cpu_seconds=round(time.process_time() - cpu, 2),
        tokens_per_second=round(sum(q["prompt"] + q["output"] for q in done) / wall, 1),
        ttft_p50_s=round(float(np.median(ttft)), 3), attainment=round(sum(t < 6 for t in ttft) / total, 3))))


if __name__ == "__main__":
    main()
