#!/usr/bin/env python3
"""Golden vectors of the fee split, of retrieved datanets, of royalties, of the Merkle-sum tree and of the cumulative tree.

Written from the specification alone, apart from the Go code: exact rationals
(fractions.Fraction) for the largest-remainder division and an independent
keccak. Needs: pip install pycryptodome

    python3 vectors.py        # rewrites splits.json, retrieval.json, royalties.json, merkle.json and cumulative.json beside it
"""
import json
import pathlib
import random
from fractions import Fraction

from Crypto.Hash import keccak

HERE = pathlib.Path(__file__).parent
SCALE = 1_000_000_000
ZERO32 = "0x" + "00" * 32


def k256(data: bytes) -> bytes:
    h = keccak.new(digest_bits=256)
    h.update(data)
    return h.digest()


def word(n: int) -> bytes:
    return n.to_bytes(32, "big")


def addr(seed: str) -> str:
    return "0x" + k256(b"account " + seed.encode()).hex()[-40:]


def rec(seed: str) -> str:
    return "0x" + k256(b"record " + seed.encode()).hex()


def divide(amount: int, weights: list[int]) -> list[int]:
    """Largest remainder; of equal remainders the earlier is served first."""
    if amount == 0:
        return [0] * len(weights)
    total = sum(weights)
    quotas = [Fraction(amount * w, total) for w in weights]
    parts = [q.numerator // q.denominator for q in quotas]
    left = amount - sum(parts)
    order = sorted(range(len(weights)), key=lambda i: (-(quotas[i] - parts[i]), i))
    for i in order[:left]:
        parts[i] += 1
    assert sum(parts) == amount
    return parts


def split(c: dict) -> list[tuple]:
    bps = c["platform_bps"]
    compute = divide(int(c["compute"]), [bps, 10_000 - bps])
    access = divide(int(c["access"]), [bps, 10_000 - bps])
    markup = divide(int(c["markup"]), [bps, 10_000 - bps])
    out = [("platform", c["treasury"], compute[0] + access[0] + markup[0], ZERO32),
           ("worker", c["worker_payout"], compute[1], ZERO32),
           ("agent", c["agent_owner"], markup[1], ZERO32)]
    if access[1]:
        owner, stakers, contributors = divide(
            access[1], [c["owner_part"], c["stakers_part"], c["contributors_part"]])
        out.append(("owner", c["model_owner"], owner, ZERO32))
        pool = 0
        stakes = {}
        for a, n in zip(c["staker_accounts"], c["staker_amounts"]):
            stakes[a.lower()] = stakes.get(a.lower(), 0) + int(n)
        keys = sorted(a for a in stakes if stakes[a])
        if keys:
            for a, n in zip(keys, divide(stakers, [stakes[a] for a in keys])):
                out.append(("staker", a, n, ZERO32))
        else:
            pool += stakers
        rows = sorted(zip(c["records"], c["contributors"], c["weights"]))
        parts = divide(contributors, [c["pool_weight"]] + [w for _, _, w in rows])
        pool += parts[0]
        for (r, a, _), n in zip(rows, parts[1:]):
            out.append(("contributor", a, n, r))
        out.append(("pool", c["pool"], pool, ZERO32))
    out = [o for o in out if o[2]]
    assert sum(o[2] for o in out) == int(c["compute"]) + int(c["access"]) + int(c["markup"])
    return out


def case(name, compute, access, stakers=(), records=(), pool_weight=None,
         bps=1000, parts=(20, 20, 50), markup=0):
    weights = [w for _, _, w in records]
    c = {
        "name": name, "compute": str(compute), "access": str(access), "markup": str(markup),
        "platform_bps": bps, "owner_part": parts[0], "stakers_part": parts[1],
        "contributors_part": parts[2],
        "treasury": addr("treasury"), "worker_payout": addr("worker"), "agent_owner": addr("agent"),
        "model_owner": addr("owner"), "pool": addr("pool"),
        "staker_accounts": [a for a, _ in stakers],
        "staker_amounts": [str(n) for _, n in stakers],
        "records": [r for r, _, _ in records],
        "contributors": [a for _, a, _ in records],
        "weights": weights,
        "pool_weight": SCALE - sum(weights) if pool_weight is None else pool_weight,
    }
    out = split(c)
    c["out_roles"] = [o[0] for o in out]
    c["out_accounts"] = [o[1] for o in out]
    c["out_amounts"] = [str(o[2]) for o in out]
    c["out_records"] = [o[3] for o in out]
    sums = {}
    for _, a, n, _ in out:
        sums[a] = sums.get(a, 0) + n
    c["payout_accounts"] = sorted(sums)
    c["payout_amounts"] = [str(sums[a]) for a in sorted(sums)]
    return c


def split_cases() -> list[dict]:
    rng = random.Random(20)
    st = [(addr(f"s{i}"), 10**18 * (i + 1)) for i in range(4)]
    rc = [(rec(f"r{i}"), addr(f"c{i % 3}"), w) for i, w in
          enumerate([400_000_000, 250_000_000, 100_000_001, 49_999_999])]
    third = [(rec(f"t{i}"), addr(f"c{i}"), SCALE // 3) for i in range(3)]
    cases = [
        case("bare_base", 10**15, 0),
        case("bare_base_one_wei", 1, 0),
        case("nothing", 0, 0),
        case("typical", 123_456_789_012_345_678, 90 * 10**15, st, rc),
        case("one_wei_access", 0, 1, st, rc),
        case("nine_wei_access", 7, 9, st, rc),
        case("no_stakers", 10**15, 10**15, [], rc),
        case("zero_stakes", 10**15, 10**15 + 1, [(addr("s0"), 0)], rc),
        case("all_to_pool", 10**15, 10**15, st, []),
        case("no_pool", 10**15, 77, st,
             [(rec("x"), addr("c0"), SCALE - 1), (rec("y"), addr("c1"), 1)]),
        case("equal_thirds_tie", 10**15, 1_000_003, [(addr(f"s{i}"), 5) for i in range(3)], third),
        case("equal_tie_two_wei", 0, 4, [(addr("s0"), 1), (addr("s1"), 1)],
             [(rec("x"), addr("c0"), SCALE // 2), (rec("y"), addr("c1"), SCALE // 2)]),
        case("repeated_staker", 3, 10**9 + 7,
             [(addr("s0"), 5), (addr("s1"), 7), (addr("s0"), 9)], rc),
        case("platform_takes_all", 10**9 + 1, 10**9 + 3, st, rc, bps=10_000),
        case("platform_takes_nothing", 10**9 + 1, 10**9 + 3, st, rc, bps=0),
        case("half_bps_ties", 1, 3, st, rc, bps=5000),
        case("no_owner_part", 5, 10**12 + 11, st, rc, parts=(0, 30, 70)),
        case("only_contributors", 5, 10**12 + 11, st, rc, parts=(0, 0, 1)),
        case("huge", 2**254 + 12345, 2**255 - 98765, [(addr("s0"), 2**254), (addr("s1"), 2**253 + 1)], rc),
    ]
    cases += [
        case("agent", 123_456_789_012_345_678, 0, markup=10**16),
        case("agent_of_an_adapter", 123_456_789_012_345_678, 90 * 10**15, st, rc, markup=5 * 10**15),
        case("agent_one_wei", 10**15, 0, markup=1),
        case("agent_five_wei_tie", 0, 0, markup=5),
        case("agent_seven_wei_each", 7, 7, st, rc, markup=7),
        case("agent_and_platform_takes_all", 3, 5, st, rc, bps=10_000, markup=10**9 + 9),
        case("agent_and_platform_takes_nothing", 3, 5, st, rc, bps=0, markup=10**9 + 9),
        case("agent_huge", 2**253 + 1, 2**253 + 3, st, rc, markup=2**255 - 7),
    ]
    for i in range(24):
        n = rng.randrange(0, 9)
        cuts = sorted(rng.randrange(SCALE) for _ in range(n))
        weights = [b - a for a, b in zip([0] + cuts, cuts)]
        cases.append(case(
            f"random_{i}", rng.randrange(10**rng.randrange(1, 25)), rng.randrange(10**rng.randrange(1, 25)),
            [(addr(f"rs{rng.randrange(12)}"), rng.randrange(10**rng.randrange(1, 24))) for _ in range(rng.randrange(0, 7))],
            [(rec(f"random {i} {j}"), addr(f"rc{rng.randrange(5)}"), w) for j, w in enumerate(weights)],
            bps=rng.choice([1000, 0, 1, 333, 2500]),
            parts=rng.choice([(20, 20, 50), (1, 2, 3), (7, 11, 13)])))
    for i in range(12):
        cases.append(case(f"random_agent_{i}", rng.randrange(10**rng.randrange(1, 25)), rng.randrange(2) * rng.randrange(10**20),
                          st[:rng.randrange(5)], rc, bps=rng.choice([1000, 0, 1, 333, 2500]),
                          markup=rng.randrange(10**rng.randrange(1, 25))))
    return cases


def retrieval_case(name, compute, access, retrieved, stakers=(), records=(), bps=1000, parts=(20, 20, 50), markup=0):
    """Each datanet's price is divided as an access fee by itself; only the platform's part is one."""
    c = case(name, compute, access, stakers, records, None, bps, parts, markup)
    out = list(zip(c["out_roles"], c["out_accounts"], map(int, c["out_amounts"]), c["out_records"]))
    c["retrieved"] = []
    platform = 0
    for n, (price, rows) in enumerate(retrieved):
        one = case(name, 0, price, stakers, rows, None, bps, parts)
        of = {"datanet": n + 3, "price": str(price), "owner": addr(f"datanet {n}"), "pool": addr(f"pool {n}"),
              "records": one["records"], "contributors": one["contributors"], "weights": one["weights"], "pool_weight": one["pool_weight"]}
        c["retrieved"].append(of)
        for role, account, amount, record in zip(one["out_roles"], one["out_accounts"], map(int, one["out_amounts"]), one["out_records"]):
            if role == "platform":
                platform += amount
            elif role == "owner":
                out.append(("datanet", of["owner"], amount, record))
            else:
                out.append((role, of["pool"] if role == "pool" else account, amount, record))
    if out and out[0][0] == "platform":
        out[0] = (*out[0][:2], out[0][2] + platform, out[0][3])
    elif platform:
        out.insert(0, ("platform", c["treasury"], platform, ZERO32))
    c["access_total"] = str(access + sum(p for p, _ in retrieved))
    assert sum(o[2] for o in out) == compute + int(c["access_total"]) + markup
    c["out_roles"] = [o[0] for o in out]
    c["out_accounts"] = [o[1] for o in out]
    c["out_amounts"] = [str(o[2]) for o in out]
    c["out_records"] = [o[3] for o in out]
    for key in ("payout_accounts", "payout_amounts"):
        del c[key]
    c["datanets"] = len(retrieved)
    return c


def retrieval_cases():
    rng = random.Random(24)
    st = [(addr(f"s{i}"), 10**18 * (i + 1)) for i in range(3)]
    rc = [(rec(f"r{i}"), addr(f"c{i % 3}"), w) for i, w in enumerate([400_000_000, 250_000_000, 100_000_001])]
    read = [(rec(f"q{i}"), addr(f"c{i}"), w) for i, w in enumerate([700_000_000, 99_999_999, 0])]
    cases = [
        retrieval_case("bare_base", 10**15, 0, [(10**15, read)]),
        retrieval_case("bare_base_with_stakers", 123_456_789_012_345_678, 0, [(90 * 10**15 + 7, read)], st),
        retrieval_case("beside_an_adapter", 5, 90 * 10**15, [(10**15 + 1, read)], st, rc),
        retrieval_case("the_same_record_twice", 5, 90 * 10**15, [(10**15 + 1, rc)], st, rc),
        retrieval_case("two_datanets", 10**15, 0, [(10**15 + 3, read), (7, rc)], st),
        retrieval_case("a_free_one", 10**15, 0, [(0, read), (9, rc)], st),
        retrieval_case("nobody_helped", 10**15, 3, [(10**15, [])], st, rc),
        retrieval_case("one_wei_each", 1, 1, [(1, read), (1, read), (1, read), (1, read)], st, rc),
        retrieval_case("five_wei_ties", 0, 5, [(5, read), (5, read)], [], rc),
        retrieval_case("with_an_agent", 10**15, 10**15, [(10**16, read)], st, rc, markup=5 * 10**15),
        retrieval_case("platform_takes_all", 3, 5, [(10**9 + 9, read)], st, rc, bps=10_000),
        retrieval_case("huge", 2**250, 2**250 + 1, [(2**254 - 19, read)], st, rc),
    ]
    for i in range(24):
        cases.append(retrieval_case(
            f"random_{i}", rng.randrange(10**18), rng.randrange(2) * rng.randrange(10**rng.randrange(1, 22)),
            [(rng.randrange(10**rng.randrange(1, 22)), rng.choice([read, rc, []])) for _ in range(rng.randrange(1, 5))],
            st[:rng.randrange(4)], rc, bps=rng.choice([1000, 0, 333]), parts=rng.choice([(20, 20, 50), (1, 2, 3), (0, 0, 1)])))
    return cases


def royalties(amount: int, tree: dict) -> list[tuple]:
    """Divides along a lineage, a tree of {"owner", "bps", "of": [its parents]}, breadth first."""
    rows, queue = [], [(0, amount, tree)]
    while queue:
        place, has, node = queue.pop(0)
        bps = [p["bps"] for p in node["of"]]
        parts = divide(has, [10_000 - sum(bps)] + bps)
        if place == 0:
            owner = parts[0]
        else:
            rows[place - 1][3] = parts[0]
        for p, part in zip(node["of"], parts[1:]):
            rows.append([p["owner"], place, p["bps"], part])
            queue.append((len(rows), part, p))
    assert owner + sum(r[3] for r in rows) == amount
    return owner, rows


def royalty_case(name, compute, access, tree, bps=1000, parts=(20, 20, 50)):
    before = divide(divide(access, [bps, 10_000 - bps])[1], list(parts))[0]
    owner, rows = royalties(before, tree)
    return {
        "name": name, "compute": str(compute), "access": str(access),
        "platform_bps": bps, "owner_part": parts[0], "stakers_part": parts[1], "contributors_part": parts[2],
        "owner": tree["owner"], "accounts": [r[0] for r in rows], "adapters": [rec(f"{name} {i}") for i in range(len(rows))],
        "from": [r[1] for r in rows], "bps": [r[2] for r in rows],
        "out_before": str(before), "out_owner": str(owner), "out_amounts": [str(r[3]) for r in rows],
    }


def royalty_cases():
    rng = random.Random(23)

    def to(owner, bps, *of):
        return {"owner": addr(owner), "bps": bps, "of": list(of)}

    def grow(depth, width):
        n = rng.randrange(0, width + 1) if depth else 0
        left, of = 9_000, []
        for _ in range(n):
            bps = rng.randrange(0, left // 2)
            left -= bps
            of.append(to(f"owner {rng.randrange(9)}", bps, *grow(depth - 1, width)))
        return of

    cases = [
        royalty_case("no_parents", 5, 10**15, to("o", 0)),
        royalty_case("one_parent", 0, 90 * 10**15, to("o", 0, to("a", 1000))),
        royalty_case("merge_of_two", 0, 90 * 10**15 + 7, to("o", 0, to("a", 1000), to("b", 2000))),
        royalty_case("three_generations", 3, 123_456_789_012_345_679,
                     to("o", 0, to("a", 2000, to("b", 1500, to("c", 1))), to("d", 333))),
        royalty_case("diamond", 0, 10**18 + 1, to("o", 0, to("a", 2500, to("g", 999)), to("b", 2500, to("g", 999)))),
        royalty_case("asks_for_nothing", 0, 10**15, to("o", 0, to("a", 0, to("b", 5000)), to("c", 100))),
        royalty_case("one_wei", 0, 9, to("o", 0, to("a", 5000), to("b", 4999)), parts=(1, 0, 0), bps=0),
        royalty_case("tie_to_the_owner", 0, 1, to("o", 0, to("a", 5000)), parts=(1, 0, 0), bps=0),
        royalty_case("tie_in_order", 0, 2, to("o", 0, to("a", 3000), to("b", 3000), to("c", 3000)), parts=(1, 0, 0), bps=0),
        royalty_case("all_of_it", 0, 10**9 + 7, to("o", 0, to("a", 4000), to("b", 6000)), parts=(1, 1, 1)),
        royalty_case("owner_is_its_own_parent", 0, 10**9 + 7, to("o", 0, to("o", 2000, to("o", 2000)))),
        royalty_case("no_access", 10**15, 0, to("o", 0, to("a", 2000))),
        royalty_case("no_owner_part", 0, 10**15, to("o", 0, to("a", 2000)), parts=(0, 1, 1)),
        royalty_case("sixteen_parents", 0, 10**18 - 1, to("o", 0, *(to(f"p{i}", 300 + i) for i in range(16)))),
        royalty_case("huge", 2**250, 2**255 - 19, to("o", 0, to("a", 1999, to("b", 1)), to("c", 2001))),
    ]
    for i in range(24):
        cases.append(royalty_case(f"random_{i}", rng.randrange(10**18), rng.randrange(10**rng.randrange(1, 25)),
                                  to("o", 0, *grow(3, 3)), bps=rng.choice([1000, 0, 333]),
                                  parts=rng.choice([(20, 20, 50), (1, 2, 3), (1, 0, 0)])))
    return cases


def leaf(i, account, amount):
    return k256(word(0) + word(i) + word(int(account, 16)) + word(amount)), amount


def node(left, right):
    return (k256(word(1) + left[0] + word(left[1]) + right[0] + word(right[1])), left[1] + right[1])


def root_and_proofs(leaves):
    def up(level):
        return [node(level[i], level[i + 1]) if i + 1 < len(level) else level[i]
                for i in range(0, len(level), 2)]

    proofs = []
    for at in range(len(leaves)):
        level, i, sibs = leaves, at, []
        while len(level) > 1:
            j = i + 1 if i % 2 == 0 else i - 1
            if j < len(level):
                sibs.append(level[j])
            level, i = up(level), i // 2
        proofs.append(sibs)
    level = leaves
    while len(level) > 1:
        level = up(level)
    return level[0], proofs


def merkle_case(name, amounts):
    accounts = sorted(addr(f"{name} {i}") for i in range(len(amounts)))
    leaves = [leaf(i, a, n) for i, (a, n) in enumerate(zip(accounts, amounts))]
    root, proofs = root_and_proofs(leaves)
    return {
        "name": name, "count": len(amounts), "accounts": accounts,
        "amounts": [str(n) for n in amounts],
        "leaves": ["0x" + h.hex() for h, _ in leaves],
        "root": "0x" + root[0].hex(), "total": str(root[1]),
        "proofs": [{"index": i, "hashes": ["0x" + h.hex() for h, _ in p],
                    "sums": [str(s) for _, s in p]} for i, p in enumerate(proofs)],
    }


def merkle_cases():
    rng = random.Random(21)
    cases = [merkle_case(f"leaves_{n}", [rng.randrange(1, 10**rng.randrange(1, 25)) for _ in range(n)])
             for n in (1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 17, 33)]
    cases.append(merkle_case("large_sums", [2**253 + 1, 2**254, 2**253 - 2]))
    return cases


def standard_leaf(account, amount):
    return k256(k256(word(int(account, 16)) + word(amount)))


def standard_tree(leaves):
    """OpenZeppelin's standard tree: leaves by hash from the end of an array, parents of sorted pairs before them."""
    n = len(leaves)
    tree = [b""] * (n - 1) + sorted(leaves, reverse=True)
    for i in reversed(range(n - 1)):
        tree[i] = k256(b"".join(sorted(tree[2 * i + 1:2 * i + 3])))
    return tree


def standard_proof(tree, leaf):
    i, out = tree.index(leaf), []
    while i:
        out.append(tree[i + 1 if i % 2 else i - 1])
        i = (i - 1) // 2
    return out


def cumulative_case(name, amounts):
    accounts = sorted(addr(f"{name} {i}") for i in range(len(amounts)))
    leaves = [standard_leaf(a, n) for a, n in zip(accounts, amounts)]
    tree = standard_tree(leaves)
    return {
        "name": name, "count": len(amounts), "accounts": accounts,
        "amounts": [str(n) for n in amounts],
        "leaves": ["0x" + h.hex() for h in leaves],
        "root": "0x" + tree[0].hex(), "total": str(sum(amounts)),
        "proofs": [{"hashes": ["0x" + h.hex() for h in standard_proof(tree, x)]} for x in leaves],
    }


def cumulative_cases():
    rng = random.Random(22)
    cases = [cumulative_case(f"cumulative_{n}", [rng.randrange(1, 10**rng.randrange(1, 28)) for _ in range(n)])
             for n in (1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 16, 17, 31)]
    cases.append(cumulative_case("cumulative_large", [2**126 - 1, 1, 2**126]))
    return cases


def write(name, cases):
    (HERE / name).write_text(json.dumps({"count": len(cases), "cases": cases}, indent=1) + "\n")


if __name__ == "__main__":
    write("splits.json", split_cases())
    write("retrieval.json", retrieval_cases())
    write("royalties.json", royalty_cases())
    write("merkle.json", merkle_cases())
    write("cumulative.json", cumulative_cases())
