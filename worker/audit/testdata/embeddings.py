"""Vectors of the embedded base by transformers, for embeddings.json.

Run in the repository root: python worker/audit/testdata/embeddings.py > worker/audit/testdata/embeddings.json
"""
import json

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

BASE = "worker/engine/base"
model = AutoModelForCausalLM.from_pretrained(BASE, dtype=torch.float32).eval()
tokenizer = AutoTokenizer.from_pretrained(BASE)
out = []
for text in ["The frog wished to be as large as the ox.", "What is the lesson?", "a"]:
    ids = tokenizer(text, return_tensors="pt").input_ids
    with torch.no_grad():
        hidden = model.model(ids).last_hidden_state[0].double()
    mean = hidden.mean(0)
    vector = mean / mean.norm()
    out.append({"text": text, "tokens": ids[0].tolist(), "vector": [round(x, 7) for x in vector.tolist()]})
print(json.dumps(out))
