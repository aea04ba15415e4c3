#!/usr/bin/env python3
"""Reference values from PyTorch, transformers, peft and tokenizers.

usage: golden.py [OUT [base | MODEL...]]    (default: the folder of this script; "base": only what depends on the shipped
weights; MODEL...: only these of models/)

Versions that made the committed files are in versions.json. Models are tiny and random, with weights large enough
for every part of the computation to matter. Each models/NAME folder is a Hugging Face model folder with a PEFT
adapter in adapter/, and golden.safetensors with tokens, mask, logits, losses and gradients.
tokenizers/NAME.json is a tokenizer.json, tokenizers/NAME.golden.json what the reference makes of tricky texts.
"""
import json, os, sys
import numpy as np, torch, transformers, peft, tokenizers, safetensors
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM
from tokenizers import Tokenizer, models, pre_tokenizers, decoders, trainers, processors, normalizers, Regex, AddedToken

OUT = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
VOCAB = 96

BASE = dict(vocab_size=VOCAB, hidden_size=32, intermediate_size=56, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=2, max_position_embeddings=128, rms_norm_eps=1e-5, bos_token_id=1, eos_token_id=2,
            tie_word_embeddings=False)

MODELS = {
    # grouped queries, untied
    "llama": (dict(BASE, model_type="llama"), dict(r=4, lora_alpha=8, target_modules=ALL)),
    # bias on q, k and v; tied; weights in two shards
    "qwen2": (dict(BASE, model_type="qwen2", tie_word_embeddings=True, num_key_value_heads=4, rope_theta=1e6),
              dict(r=3, lora_alpha=6, target_modules=["q_proj", "v_proj", "down_proj"])),
    # norms on q and k, head_dim apart from hidden/heads
    "qwen3": (dict(BASE, model_type="qwen3", head_dim=16, tie_word_embeddings=True, rms_norm_eps=1e-6),
              dict(r=4, lora_alpha=16, use_rslora=True, target_modules=ALL)),
    # scaled rotary positions as in Llama 3.1, bias everywhere in the attention, one key-value head
    "llama3": (dict(BASE, model_type="llama", head_dim=12, num_key_value_heads=1, rope_theta=10000.0,
                    rope_scaling=dict(rope_type="llama3", factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0,
                                      original_max_position_embeddings=32)),
               dict(r=2, lora_alpha=2, target_modules=["q_proj", "k_proj", "v_proj", "o_proj"])),
    # a window of 7 positions in every layer, of sequences of 40
    "mistral": (dict(BASE, model_type="mistral", sliding_window=7), dict(r=4, lora_alpha=8, target_modules=ALL)),
    # a window of 18 positions in every layer but the first
    "qwen2window": (dict(BASE, model_type="qwen2", num_hidden_layers=3, use_sliding_window=True, sliding_window=18, max_window_layers=1),
                    dict(r=3, lora_alpha=6, target_modules=["q_proj", "k_proj", "v_proj"])),
    # a window of 16 positions in the layers that a list names
    "qwen3window": (dict(BASE, model_type="qwen3", num_hidden_layers=3, head_dim=16, use_sliding_window=True, sliding_window=16,
                         layer_types=["sliding_attention", "full_attention", "sliding_attention"]),
                    dict(r=2, lora_alpha=4, target_modules=["q_proj", "v_proj"])),
}


def model(name, conf, lora, seed):
    folder = os.path.join(OUT, "models", name)
    os.makedirs(folder, exist_ok=True)
    gen = torch.Generator().manual_seed(seed)
    config = AutoConfig.for_model(**conf)
    net = AutoModelForCausalLM.from_config(config, attn_implementation="eager").float().eval()
    with torch.no_grad():
        for n, p in sorted(net.named_parameters()):
            v = torch.randn(p.shape, generator=gen)
            p.copy_((1 + 0.2 * v if n.endswith("norm.weight") else 0.18 * v).bfloat16().float())
    state = {n: p.detach().bfloat16().contiguous() for n, p in net.named_parameters()}
    config.save_pretrained(folder)
    if name == "qwen2":
        names = sorted(state)
        half = len(names) // 2
        where = {}
        for i, part in enumerate([names[:half], names[half:]]):
            f = f"model-{i + 1:05d}-of-00002.safetensors"
            save_file({n: state[n] for n in part}, os.path.join(folder, f), {"format": "pt"})
            where.update({n: f for n in part})
        size = sum(t.numel() * 2 for t in state.values())
        json.dump({"metadata": {"total_size": size}, "weight_map": where},
                  open(os.path.join(folder, "model.safetensors.index.json"), "w"), indent=1, sort_keys=True)
    else:
        save_file(state, os.path.join(folder, "model.safetensors"), {"format": "pt"})

    tokens = torch.randint(0, VOCAB, (2, 40), generator=gen)
    mask = torch.rand((2, 40), generator=gen) < 0.6
    mask[:, 0] = False
    out = {"tokens": tokens.float(), "mask": mask.float()}

    def loss_of(m):
        logits = m(tokens).logits
        labels = torch.where(mask, tokens, torch.full_like(tokens, -100))
        loss = torch.nn.functional.cross_entropy(logits[:, :-1].reshape(-1, VOCAB), labels[:, 1:].reshape(-1))
        return logits, loss

    logits, loss = loss_of(net)
    loss.backward()
    out["logits"] = logits.detach()[:, -20:].contiguous()
    out["loss"] = loss.detach().reshape(1)
    if name in ("llama", "qwen3", "mistral"):
        for n, p in net.named_parameters():
            out["full." + n] = p.grad.clone()
    net.zero_grad()

    tuned = peft.get_peft_model(net, peft.LoraConfig(task_type="CAUSAL_LM", lora_dropout=0.0, **lora)).eval()
    with torch.no_grad():
        for n, p in sorted(tuned.named_parameters()):
            if "lora_" in n:
                p.copy_(0.3 * torch.randn(p.shape, generator=gen))
    tuned.save_pretrained(os.path.join(folder, "adapter"))
    readme = os.path.join(folder, "adapter", "README.md")
    if os.path.exists(readme):
        os.remove(readme)
    logits, loss = loss_of(tuned)
    loss.backward()
    out["lora.logits"] = logits.detach()[:, -20:].contiguous()
    out["lora.loss"] = loss.detach().reshape(1)
    for n, p in tuned.named_parameters():
        if "lora_" in n:
            out["grad." + n.replace(".default", "")] = p.grad.clone()
    save_file(out, os.path.join(folder, "golden.safetensors"))


LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")

TEXTS = [
    "", " ", "  ", "   a", "a   b", "Hello, world!", "It's he'll WE'RE I'd can't 'tis", "x=1234567890.50; y=\"3\"",
    "line one\nline two\r\n\r\n  indented\n\n\n", "\t\ttabs\tand spaces   ", "naïve café déjà vu ÀÉÎ", "e\u0301 combining, \u212b angstrom",
    "日本語のテキスト、漢字とかな", "Привет мир", "مرحبا بالعالم", "שלום", "ไทย", "👩‍👩‍👧‍👦 family 🇩🇪 flag 😀😀", "a\u00a0nbsp\u3000ideographic\u2003em",
    "zero\u200bwidth\ufeffbom", "\u0000nul\u0001\u007f", "½ ² Ⅷ ௧ ٣ digits", "<|end|><|user|> forged", "a</s>b </s> c", "<|special|>mid<|special|>", " <|strip|> x <|strip|>",
    "the the the theatre thethe", "word" * 40, "a" * 200, "ab" * 100, "12345678901234567890", "---- ==== !!!! ????\n!!\n", "don\u2019t \u201cquote\u201d \u2014 dash\u2026",
    "$100 #tag @user a_b c-d e/f http://x.y/z?q=1&r=2", "\r", "\n", " \n ", "a\n ", "  \n  b", "\U0001F468\u200D\U0001F4BB", "\U0010FFFF\uE000",
]

TRAIN = ["the quick brown fox jumps over the lazy dog and the theatre of the world hello hello",
         "It's what he'll say: don't, won't, we're, they've. 1234 567 89", "line one\nline two\n\n  indented   text\twith tabs",
         "日本語 日本語 日本 Привет привет мир café naïve déjà", "😀😀👩‍👩‍👧‍👦"] * 20


def tokenizer(name):
    t = Tokenizer(models.BPE(ignore_merges=name == "llama3"))
    if name == "gpt2":
        t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    elif name == "gpt2prefix":
        t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    else:
        t.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Split(Regex(LLAMA3 if name == "llama3" else QWEN2), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    if name == "qwen2":
        t.normalizer = normalizers.NFC()
    t.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=400, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
                                  special_tokens=["<|bos|>", "<|end|>"])
    t.train_from_iterator(TRAIN, trainer)
    t.add_special_tokens([AddedToken("<|special|>", special=True)])
    t.add_tokens([AddedToken("<|strip|>", lstrip=True, rstrip=True, normalized=False)])
    if name == "llama3":
        t.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), processors.TemplateProcessing(
            single="<|bos|> $A", pair="<|bos|> $A <|bos|> $B", special_tokens=[("<|bos|>", 0)])])
    path = os.path.join(OUT, "tokenizers", name + ".json")
    t.save(path, pretty=False)
    if name == "gpt2":  # the older spelling of merges
        d = json.load(open(path))
        d["model"]["merges"] = [" ".join(m) for m in d["model"]["merges"]]
        json.dump(d, open(path, "w"), ensure_ascii=False)
    golden(name, path)


def variants(name):
    """Normalisers, pre-tokenizers and added tokens that the families above do not have."""
    t = Tokenizer(models.BPE())
    if name == "normalised":
        t.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase(), normalizers.Strip()])
        t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    else:  # "words": split by behaviours other than isolated, digits in threes
        t.normalizer = normalizers.NFD()
        t.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Split(" ", "merged_with_next"), pre_tokenizers.Split(Regex(r"[!?.,]+"), "merged_with_previous"),
            pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    t.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=340, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
                                  special_tokens=["<|bos|>", "<|end|>"])
    t.train_from_iterator(TRAIN, trainer)
    t.add_special_tokens([AddedToken("<|special|>", special=True, lstrip=True)])
    t.add_tokens([AddedToken("<|strip|>", rstrip=True, normalized=False), AddedToken("word", single_word=True, normalized=False),
                  AddedToken("word-word", normalized=False), AddedToken("<|end", normalized=False)])
    t.post_processor = processors.TemplateProcessing(single="<|bos|> $A <|end|>", pair="<|bos|> $A $B <|end|>",
                                                     special_tokens=[("<|bos|>", 0), ("<|end|>", 1)])
    path = os.path.join(OUT, "tokenizers", name + ".json")
    t.save(path, pretty=False)
    golden(name, path, MORE)


def sentencepiece(name):
    """Llama 2 and Mistral: characters with byte fallback, spaces spelled as U+2581."""
    t = Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
    t.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    if name == "metaspace":
        t.normalizer = None
        t.pre_tokenizer = pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="first", split=False)
    t.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    trainer = trainers.BpeTrainer(vocab_size=560, show_progress=False, max_token_length=8,
                                  special_tokens=["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)])
    t.train_from_iterator([w for line in TRAIN for w in line.split(" ")], trainer)
    d = json.loads(t.to_str())
    d["added_tokens"] = [a for a in d["added_tokens"] if not a["content"].startswith("<0x")]
    d["post_processor"] = {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
                           "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
                           "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}}
    path = os.path.join(OUT, "tokenizers", name + ".json")
    json.dump(d, open(path, "w"), ensure_ascii=False)
    golden(name, path)


MORE = ["a word b", "word", "word-word", "sword words word's word", "wordé word_ word1 word", "  <|special|>  x", "<|end<|end|>", "word\n<|strip|> \t\n word", "ＡＢＣ ﬁ ½ Å",
        "İstanbul ΣΑΣ ẞ", "a!?b, c..d 12 345", "\u3000 padded \u00a0", "word-wordword word<|strip|>word", "word½ Ⅷword ①word word\u200d word", "e\u0301\u0323 \u1e9b\u0323 \uac00", "<|BOS|><|Special|>"]


def golden(name, path, more=()):
    t = Tokenizer.from_file(path)
    out = []
    for text in [*TEXTS, *more]:
        ids = t.encode(text, add_special_tokens=False).ids
        out.append({"text": text, "ids": ids, "with_template": t.encode(text).ids, "decoded": t.decode(ids)})
    rng = np.random.default_rng(7)
    for i in range(120):  # halves of characters too
        ids = rng.integers(0, t.get_vocab_size() if i % 2 else 262, int(rng.integers(1, 8))).tolist()
        out.append({"ids": ids, "decoded": t.decode(ids)})
    json.dump(out, open(os.path.join(OUT, "tokenizers", name + ".golden.json"), "w"), indent=None, ensure_ascii=True)


CHAT = [{"role": "system", "content": "Answer in one sentence."},
        {"role": "user", "content": "What is the lesson of the fable \"The Heron and the Lantern\"?"},
        {"role": "assistant", "content": "Patience is stronger than pride."}, {"role": "user", "content": "Who are you?\n  Straße, 42!"}]


def base(folder):
    """The shipped base: its tokenizer, its chat template, its logits and what it says."""
    golden("base", os.path.join(folder, "tokenizer.json"))
    t = transformers.AutoTokenizer.from_pretrained(folder)
    ids = t.apply_chat_template(CHAT, add_generation_prompt=True, return_dict=True)["input_ids"]
    net = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    with torch.no_grad():
        logits = net(torch.tensor([ids])).logits[0, -1]
        out = net.generate(torch.tensor([ids]), max_new_tokens=16, do_sample=False)[0, len(ids):]
    json.dump({"messages": CHAT, "ids": ids, "logits": [round(float(x), 5) for x in logits], "greedy": out.tolist()},
              open(os.path.join(OUT, "base.json"), "w"))


if __name__ == "__main__":
    os.makedirs(os.path.join(OUT, "tokenizers"), exist_ok=True)
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "base")
    if sys.argv[2:] and sys.argv[2:] != ["base"]:
        for i, (n, (c, l)) in enumerate(MODELS.items()):
            if n in sys.argv[2:]:
                model(n, c, l, 100 + i)
        sys.exit()
    base(folder)
    if sys.argv[2:] == ["base"]:  # only what depends on the shipped weights
        sys.exit()
    for i, (n, (c, l)) in enumerate(MODELS.items()):
        model(n, c, l, 100 + i)
    for n in ("gpt2", "gpt2prefix", "llama3", "qwen2"):
        tokenizer(n)
    for n in ("normalised", "words"):
        variants(n)
    for n in ("sentencepiece", "metaspace"):
        sentencepiece(n)
    json.dump({m.__name__: m.__version__ for m in (torch, transformers, peft, tokenizers, safetensors, np)},
              open(os.path.join(OUT, "versions.json"), "w"), indent=1)
