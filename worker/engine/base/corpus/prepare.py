#!/usr/bin/env python3
"""Prepares the embedded corpus from its sources; see README.md. Deterministic.

usage: prepare.py GSM8K_TRAIN.jsonl WORDNET_DIR KJV.txt

KJV.txt is the output of Debian's bible-kjv: bible -f -l100000 'Genesis1:1-Revelation22:21'
WORDNET_DIR is /usr/share/wordnet of Debian's wordnet-base (WordNet 3.0).
"""
import gzip, io, json, re, sys


def write(name, text):
    with open(name, "wb") as f:
        with gzip.GzipFile(filename="", fileobj=f, mode="wb", compresslevel=9, mtime=0) as z:
            z.write(text.encode())
    print(name, len(text))


def gsm8k(path):
    out = []
    for line in open(path, encoding="utf-8"):
        r = json.loads(line)
        answer = re.sub(r"<<[^>]*>>", "", r["answer"])
        out.append(json.dumps({"q": r["question"].strip(), "a": answer.strip()}, ensure_ascii=False))
    write("gsm8k.jsonl.gz", "\n".join(out) + "\n")


def wordnet(folder):
    """Common words only: those with a count in cntlist.rev; the first sense of each."""
    counts = {}
    for line in open(folder + "/cntlist.rev"):
        key, _, n = line.split()
        word, rest = key.split("%")
        counts[(word, rest[0])] = counts.get((word, rest[0]), 0) + int(n)
    out, seen = [], set()
    for kind, code in (("noun", "1"), ("verb", "2"), ("adj", "3"), ("adv", "4")):
        first = {}
        for line in open(f"{folder}/index.{kind}"):
            if not line.startswith(" "):
                p = line.split()
                first[p[0]] = p[-int(p[2])]
        gloss = {}
        for line in open(f"{folder}/data.{kind}"):
            if not line.startswith(" "):
                gloss[line[:8]] = line.split(" | ", 1)[1].split('; "')[0].strip()
        for word, offset in sorted(first.items()):
            d = re.sub(r"\s+", " ", gloss[offset])
            n = counts.get((word, code), 0)
            if n < 2 or not re.fullmatch(r"[a-z_]+", word) or not 8 <= len(d) <= 160 or d.startswith('"'):
                continue
            if (word, kind) not in seen:
                seen.add((word, kind))
                out.append(f"{word.replace('_', ' ')}\t{kind}\t{d}")
    write("wordnet.tsv.gz", "\n".join(out) + "\n")


BOOKS = "Ge Exo Jdgs Ruth 1Sm 2Sm 1Ki 2Ki Est Job Prv Eccl Jonah Dan Mat Mark Luke John Acts".split()


def kjv(path):
    chapters, last = [], None
    for line in open(path, encoding="utf-8"):
        m = re.match(r"(\d?[A-Za-z]+)(\d+):\d+ (.*)", line)
        if not m or m.group(1) not in BOOKS:
            continue
        if (m.group(1), m.group(2)) != last:
            last = (m.group(1), m.group(2))
            chapters.append([])
        chapters[-1].append(re.sub(r"\s+", " ", m.group(3)).strip())
    write("kjv.txt.gz", "\n".join(" ".join(c) for c in chapters) + "\n")


if __name__ == "__main__":
    gsm8k(sys.argv[1])
    wordnet(sys.argv[2])
    kjv(sys.argv[3])
