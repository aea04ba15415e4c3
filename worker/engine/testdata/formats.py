#!/usr/bin/env python3
"""Golden files of model and adapter formats, from transformers, peft, sentencepiece and llama.cpp's own converter and quantiser.

usage: formats.py LLAMA_CPP LLAMA_CPP_PYTHON LIB [OUT]
  LLAMA_CPP         source tree of llama.cpp: its conversion scripts write the GGUF files
  LLAMA_CPP_PYTHON  folder that holds the package llama_cpp, by which the quantiser is called
  LIB               folder with libllama.so
  OUT               default: formats/ beside this script

Versions that made the committed files are in formats/versions.json. The models are tiny and random.
  rope/        one set of weights and a config.json for each way to stretch rotary positions, and Mistral's
  peft/NAME/   adapters over ../models/llama with mixed ranks, alphas and targets; lora.gguf is one of them as GGUF
  gguf/        models of each family and type
  golden.safetensors   tokens and logits by name, and llama.cpp's own logits
  spm.golden.json      what sentencepiece makes of tricky texts
"""
import ctypes, importlib, json, os, shutil, sys, tempfile
import numpy as np, torch, transformers, peft, tokenizers, safetensors, sentencepiece
from safetensors.torch import save_file, load_file
from transformers import AutoConfig, AutoModelForCausalLM

LLAMA_CPP, LLAMA_CPP_PYTHON, LIB = sys.argv[1:4]
HERE = os.path.dirname(os.path.abspath(__file__))
OUT = sys.argv[4] if len(sys.argv) > 4 else os.path.join(HERE, "formats")
sys.path.insert(0, HERE)
import golden as reference  # noqa: E402  (texts and training text of the tokenizers)

sys.path[:0] = [os.path.join(LLAMA_CPP, "gguf-py"), LLAMA_CPP]
import gguf  # noqa: E402

LOGITS = {}
ALL = reference.ALL


def random_model(conf, seed, scale=0.18):
    config = AutoConfig.for_model(**conf)
    net = AutoModelForCausalLM.from_config(config, attn_implementation="eager").float().eval()
    gen = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for n, p in sorted(net.named_parameters()):
            v = torch.randn(p.shape, generator=gen)
            p.copy_((1 + 0.2 * v if n.endswith("norm.weight") else scale * v).bfloat16().float())
    return config, net, gen


def logits(name, net, tokens, rows=12):
    with torch.no_grad():
        out = net(tokens).logits[0].float()
    LOGITS[name + ".tokens"] = tokens[0].float()
    LOGITS[name + ".logits"] = out[-rows:].contiguous()


def rope():
    folder = os.path.join(OUT, "rope")
    os.makedirs(folder)
    base = dict(reference.BASE, max_position_embeddings=64, rope_theta=300.0)
    scalings = {
        "linear": dict(rope_type="linear", factor=4.0),
        "dynamic": dict(rope_type="dynamic", factor=2.0),
        "yarn": dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=46),
        "yarn2": dict(rope_type="yarn", factor=2.5, original_max_position_embeddings=24, beta_fast=16, beta_slow=2, mscale=0.7, mscale_all_dim=1.3,
                      truncate=False),
        "yarn3": dict(rope_type="yarn", factor=3.0, original_max_position_embeddings=20, attention_factor=1.7),
        "longrope": dict(rope_type="longrope", factor=2.0, original_max_position_embeddings=48, short_factor=[1.0, 1.5, 2.0, 3.5],
                         long_factor=[2.0, 4.0, 8.0, 16.0]),
        "llama3": dict(rope_type="llama3", factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=32),
    }
    config, net, gen = random_model(dict(base, model_type="llama"), 11)
    save_file({n: p.detach().half().contiguous() for n, p in net.named_parameters()}, os.path.join(folder, "model.safetensors"))
    state = {n: p.detach().half().float() for n, p in net.named_parameters()}  # what the file holds
    tokens = torch.randint(0, reference.VOCAB, (1, 40), generator=gen)
    confs = {k: dict(base, model_type="llama", rope_scaling=v) for k, v in scalings.items()}
    confs["mistral"] = dict(base, model_type="mistral", sliding_window=48)
    for name, conf in confs.items():
        config = AutoConfig.for_model(**json.loads(json.dumps(conf)))
        net = AutoModelForCausalLM.from_config(config, attn_implementation="eager").float().eval()
        net.load_state_dict(state)
        logits("rope." + name, net, tokens)
        # the older spelling, which most published models have; transformers writes the newer one
        raw = dict(json.loads(config.to_json_string()), **({} if name in ("yarn2", "mistral") else {"rope_parameters": None}))
        if raw["rope_parameters"] is None:
            del raw["rope_parameters"]
            raw.update(rope_theta=300.0, rope_scaling=conf["rope_scaling"])
        json.dump(raw, open(os.path.join(folder, f"config.{name}.json"), "w"), indent=1, sort_keys=True)


ADAPTERS = {
    # different ranks and alphas by module and by layer
    "patterns": dict(r=4, lora_alpha=8, target_modules=ALL, rank_pattern={"q_proj": 2, "layers.1.mlp.down_proj": 7},
                     alpha_pattern={"v_proj": 3, "model.layers.0.self_attn.o_proj": 20}),
    # the same with the square root of the rank, few targets named by a pattern
    "rslora": dict(r=3, lora_alpha=5, use_rslora=True, target_modules=r".*\.(k_proj|up_proj)", rank_pattern={"up_proj": 6}),
    # one layer only
    "onelayer": dict(r=5, lora_alpha=10, target_modules=["gate_proj"], layers_to_transform=[1]),
    # what GGUF can say: one alpha for all
    "plain": dict(r=4, lora_alpha=12, target_modules=ALL),
}


def adapters():
    base = os.path.join(HERE, "models", "llama")
    gen = torch.Generator().manual_seed(21)
    tokens = torch.randint(0, reference.VOCAB, (1, 40), generator=gen)
    for name, conf in ADAPTERS.items():
        net = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, attn_implementation="eager").eval()
        tuned = peft.get_peft_model(net, peft.LoraConfig(task_type="CAUSAL_LM", lora_dropout=0.0, **conf)).eval()
        with torch.no_grad():
            for n, p in sorted(tuned.named_parameters()):
                if "lora_" in n:
                    p.copy_(0.3 * torch.randn(p.shape, generator=gen))
        folder = os.path.join(OUT, "peft", name)
        tuned.save_pretrained(folder)
        if os.path.exists(os.path.join(folder, "README.md")):
            os.remove(os.path.join(folder, "README.md"))
        config = os.path.join(folder, "adapter_config.json")
        conf = json.load(open(config))
        json.dump(dict(conf, base_model_name_or_path="base"), open(config, "w"), indent=1, sort_keys=True)
        logits("peft." + name, tuned, tokens)
    with tempfile.TemporaryDirectory() as d:  # the converter wants the architecture's name in the configuration
        conf = json.load(open(os.path.join(base, "config.json")))
        json.dump(dict(conf, architectures=["LlamaForCausalLM"]), open(os.path.join(d, "config.json"), "w"))
        shutil.copy(os.path.join(base, "model.safetensors"), d)
        run("convert_lora_to_gguf", "--base", d, "--outtype", "f32", "--outfile", os.path.join(OUT, "peft", "lora.gguf"), os.path.join(OUT, "peft", "plain"))


def run(script, *args):
    argv, sys.argv = sys.argv, [script] + list(args)
    try:
        importlib.import_module(script).main() if script != "convert_lora_to_gguf" else os.spawnv(
            os.P_WAIT, sys.executable, [sys.executable, os.path.join(LLAMA_CPP, script + ".py"), *args]) and sys.exit("convert_lora_to_gguf failed")
    finally:
        sys.argv = argv


def binding():
    os.environ["LLAMA_CPP_LIB_PATH"] = LIB
    sys.path.insert(0, LLAMA_CPP_PYTHON)
    return importlib.import_module("llama_cpp")


def quantise(source, target, ftype):
    llama_cpp = binding()
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype, params.nthread = getattr(llama_cpp, ftype), 1
    if llama_cpp.llama_model_quantize(source.encode(), target.encode(), ctypes.byref(params)) != 0:
        sys.exit("quantising failed")


def theirs(name, path, rows=12):
    """What llama.cpp computes, which rounds activations to bytes where weights are in blocks."""
    llm = binding().Llama(path, n_ctx=64, logits_all=True, verbose=False, n_threads=1)
    llm.eval([int(x) for x in LOGITS[name + ".tokens"]])
    LOGITS[name + ".llama_cpp"] = torch.from_numpy(np.array(llm.scores[:len(LOGITS[name + ".tokens"])], dtype=np.float32))[-rows:].contiguous()


def dequantised(path, net):
    """Puts the values of a GGUF file into the model, by the gguf package's own decoding."""
    names = gguf.get_tensor_name_map({"llama": gguf.MODEL_ARCH.LLAMA, "qwen2": gguf.MODEL_ARCH.QWEN2, "qwen3": gguf.MODEL_ARCH.QWEN3}
                                     [str(gguf.GGUFReader(path).get_field("general.architecture").contents())], net.config.num_hidden_layers)
    stored = {t.name: torch.from_numpy(np.array(gguf.quants.dequantize(t.data, t.tensor_type), dtype=np.float32)).reshape([int(x) for x in reversed(t.shape)])
              for t in gguf.GGUFReader(path).tensors}
    turn = str(gguf.GGUFReader(path).get_field("general.architecture").contents()) == "llama"
    with torch.no_grad():
        for n, p in net.named_parameters():
            stem, suffix = n.rsplit(".", 1)
            v = stored[names.get_name(stem) + "." + suffix]
            if turn and stem.endswith(("q_proj", "k_proj")):
                heads = net.config.num_attention_heads if stem.endswith("q_proj") else net.config.num_key_value_heads
                v = v.reshape(heads, p.shape[0] // heads // 2, 2, -1).swapaxes(1, 2)
            p.copy_(v.reshape(p.shape))


def spm(folder):
    prefix = os.path.join(folder, "tokenizer")
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(reference.TRAIN), model_prefix=prefix, model_type="bpe", vocab_size=400, byte_fallback=True, character_coverage=0.98,
        normalization_rule_name="identity", remove_extra_whitespaces=False, add_dummy_prefix=True, split_digits=True, unk_id=0, bos_id=1, eos_id=2, pad_id=-1,
        minloglevel=2, num_threads=1)
    s = sentencepiece.SentencePieceProcessor(model_file=prefix + ".model")
    out = [{"text": t, "ids": s.encode(t), "decoded": s.decode(s.encode(t))} for t in reference.TEXTS]
    json.dump(out, open(os.path.join(OUT, "spm.golden.json"), "w"), ensure_ascii=True)
    return s.get_piece_size()


def bpe(folder, name):
    shutil.copy(os.path.join(HERE, "tokenizers", name + ".json"), os.path.join(folder, "tokenizer.json"))
    conf = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|bos|>", "eos_token": "<|end|>", "chat_template": "{{ messages }}"}
    json.dump(conf, open(os.path.join(folder, "tokenizer_config.json"), "w"))
    from conversion.base import TextModel
    TextModel.get_vocab_base_pre = lambda self, tok: {"llama3": "llama-bpe", "qwen2": "qwen2"}[name]  # else told by a list of known tokenizers
    return tokenizers.Tokenizer.from_file(os.path.join(folder, "tokenizer.json")).get_vocab_size() + 6  # published models have room left too


SMALL = dict(reference.BASE, max_position_embeddings=64)
MODELS = {
    "llama-f32": (dict(SMALL, model_type="llama", rope_parameters=dict(rope_type="llama3", factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0,
                       original_max_position_embeddings=32, rope_theta=10000.0)), "spm", "f32", None),
    "llama-f16": (dict(SMALL, model_type="llama", num_key_value_heads=4, rope_parameters=dict(rope_type="linear", factor=2.0, rope_theta=10000.0)),
                  "llama3", "f16", None),
    "qwen2-q8_0": (dict(SMALL, model_type="qwen2", hidden_size=64, intermediate_size=96, tie_word_embeddings=True,
                        rope_parameters=dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=16, rope_theta=1e6)), "qwen2", "q8_0", None),
    "qwen3-bf16": (dict(SMALL, model_type="qwen3", head_dim=16, tie_word_embeddings=True, rms_norm_eps=1e-6), "qwen2", "bf16", None),
    "mistral-q4_0": (dict(SMALL, model_type="mistral", hidden_size=64, intermediate_size=96, sliding_window=None), "spm", "f32", "LLAMA_FTYPE_MOSTLY_Q4_0"),
    "llama-q4_k_m": (dict(SMALL, model_type="llama", hidden_size=256, intermediate_size=256), "spm", "f32", "LLAMA_FTYPE_MOSTLY_Q4_K_M"),
}


def models():
    folder = os.path.join(OUT, "gguf")
    os.makedirs(folder)
    for i, (name, (conf, tok, outtype, ftype)) in enumerate(MODELS.items()):
        with tempfile.TemporaryDirectory() as d:
            vocab = spm(d) if tok == "spm" else bpe(d, tok)
            config, net, gen = random_model(dict(conf, vocab_size=vocab), 31 + i, 0.06 if conf.get("hidden_size") == 256 else 0.18)
            net.save_pretrained(d)
            target = os.path.join(folder, name + ".gguf")
            made = os.path.join(d, "made.gguf") if ftype else target
            run("convert_hf_to_gguf", "--model-name", name, "--outtype", outtype, "--outfile", made, d)
            if ftype:
                quantise(made, target, ftype)
            dequantised(target, net)
            logits("gguf." + name, net, torch.randint(0, vocab, (1, 40), generator=gen))
            theirs("gguf." + name, target)


if __name__ == "__main__":
    shutil.rmtree(OUT, ignore_errors=True)
    os.makedirs(OUT)
    rope()
    adapters()
    models()
    save_file(LOGITS, os.path.join(OUT, "golden.safetensors"))
    versions = {m.__name__: m.__version__ for m in (torch, transformers, peft, tokenizers, safetensors, sentencepiece, np)}
    versions["llama_cpp_python"] = binding().__version__
    json.dump(versions, open(os.path.join(OUT, "versions.json"), "w"), indent=1)
