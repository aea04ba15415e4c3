#!/usr/bin/env python3
"""LoRA training steps with PyTorch and PEFT on the CPU, for comparison with this project's trainer.

usage: peft_step.py --threads N --shape small|160m --steps N

Prints one line of JSON: tokens per second, by the clock and by processor time, and the versions. The same shapes, rank, targets, batch and lengths as
BenchmarkLoRAStep of this package: random tokens, every example of the same length (so that PyTorch pads nothing),
loss on the second half. A step is zero_grad, forward, backward, clip_grad_norm_, AdamW, all in float32.
"""
import argparse, json, time, warnings

warnings.filterwarnings("ignore")
import torch, transformers, peft
from transformers import AutoConfig, AutoModelForCausalLM

SHAPES = {
    "small": dict(vocab=4096, hidden=256, inter=704, layers=4, heads=8, kv=4, batch=16, length=128, rank=16),
    "160m": dict(vocab=32000, hidden=768, inter=2048, layers=12, heads=12, kv=4, batch=4, length=256, rank=16),
}
ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]

p = argparse.ArgumentParser()
p.add_argument("--threads", type=int, default=2)
p.add_argument("--shape", choices=SHAPES, default="small")
p.add_argument("--steps", type=int, default=10)
p.add_argument("--attention", choices=["sdpa", "eager"], default="sdpa")
a = p.parse_args()
torch.set_num_threads(a.threads)
torch.manual_seed(1)
s = SHAPES[a.shape]
config = AutoConfig.for_model("llama", vocab_size=s["vocab"], hidden_size=s["hidden"], intermediate_size=s["inter"],
                              num_hidden_layers=s["layers"], num_attention_heads=s["heads"], num_key_value_heads=s["kv"],
                              max_position_embeddings=512, tie_word_embeddings=True)
net = AutoModelForCausalLM.from_config(config, attn_implementation=a.attention).float()
net.config.use_cache = False
net = peft.get_peft_model(net, peft.LoraConfig(r=s["rank"], lora_alpha=4 * s["rank"], target_modules=ALL, lora_dropout=0.0))
net.train()
params = [q for q in net.parameters() if q.requires_grad]
opt = torch.optim.AdamW(params, lr=1e-3)
ids = torch.randint(0, s["vocab"], (s["batch"], s["length"]))
labels = ids.clone()
labels[:, : s["length"] // 2] = -100


def step():
    opt.zero_grad(set_to_none=True)
    loss = net(input_ids=ids, labels=labels).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(params, 1.0)
    opt.step()
    return float(loss.detach())


for _ in range(2):
    step()
began, began_cpu = time.perf_counter(), time.process_time()
for _ in range(a.steps):
    step()
took, took_cpu = time.perf_counter() - began, time.process_time() - began_cpu
tokens = s["batch"] * s["length"] * a.steps
print(json.dumps(dict(tokens_per_second=tokens / took, tokens_per_cpu_second=tokens / took_cpu, threads=a.threads, shape=a.shape,
                      torch=torch.__version__, transformers=transformers.__version__, peft=peft.__version__)))
