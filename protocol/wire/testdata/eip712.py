#!/usr/bin/env python3
"""Golden EIP-712 digests and signatures of every signed statement, from
eth-account, apart from the Go code. Needs: pip install eth-account

    python3 eip712.py        # rewrites eip712.json beside it
"""
import json
import pathlib

from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils import keccak

TYPES = {
    "Receipt": "bytes32 id,address requester,address worker,bytes32 base,bytes32 adapter,uint64 agent,uint32 agentVersion,uint64 datanet,"
               "bytes32 datanetRoot,uint32 promptTokens,uint32 outputTokens,uint256 compute,uint256 access,uint256 markup,"
               "bytes32 outputHash,bytes32 attributionRoot,bytes32 evidence,uint64 finishedAt",
    "Voucher": "address requester,address worker,uint256 cumulative,uint64 expires",
    "Binding": "string peer,address nodeKey,address owner,address payout,uint64 issuedAt,uint64 expires",
    "Contribution": "uint64 datanet,bytes32 record,address contributor,string license,uint64 at",
    "Review": "uint64 datanet,bytes32 record,string status,string reason,uint64 at",
    "TrainingOrder": "address owner,string name,bytes32 base,uint64 datanet,uint32 version,string root,"
                     "bytes32 hyperHash,uint256 access,uint16 royaltyBps,uint32 revision,bytes32[] parents,"
                     "bytes32 nonce,uint64 deadline",
}
TEXTS = {
    "peer": "12D3KooWBvcvRTjZ9QkEEhTbqBsHD4Y1RzmzuLFGQvX3kqEbGL9R", "license": "CC-BY-4.0", "status": "rejected",
    "reason": "Wörter doppelt – duplicate", "name": "fables-v1",
    "root": "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy",
}
DOMAIN = {"name": "OpenLedger", "version": "1", "chainId": 424242,
          "verifyingContract": "0x5fbdb2315678afecb367f032d93f642f64180aa3"}
DOMAIN_TYPE = "string name,string version,uint256 chainId,address verifyingContract"


def members(text):
    return [dict(zip(("type", "name"), m.split())) for m in text.split(",")]


def value(primary, name, kind):
    h = keccak(f"{primary}.{name}".encode())
    if kind.endswith("[]"):
        return [value(primary, f"{name}.{i}", kind[:-2]) for i in range(3)]
    if kind == "bytes32":
        return "0x" + h.hex()
    if kind == "address":
        return "0x" + h[12:].hex()
    if kind == "string":
        return TEXTS[name]
    bits = min(int(kind[4:]), 63 if kind == "uint64" else 256)
    return int.from_bytes(h, "big") % 2**bits


def main():
    key = keccak(b"openledger test key")
    cases = []
    for primary, text in TYPES.items():
        message = {m["name"]: value(primary, m["name"], m["type"]) for m in members(text)}
        signable = encode_typed_data(full_message={
            "types": {"EIP712Domain": members(DOMAIN_TYPE), primary: members(text)},
            "primaryType": primary, "domain": DOMAIN, "message": message,
        })
        signed = Account.sign_message(signable, key)
        cases.append({
            "type": primary,
            "type_hash": "0x" + keccak(f"{primary}({text})".encode()).hex(),
            "message": {k: " ".join(v) if isinstance(v, list) else str(v) for k, v in message.items()},
            "struct_hash": "0x" + signable.body.hex(),
            "domain_separator": "0x" + signable.header.hex(),
            "digest": "0x" + keccak(b"\x19\x01" + signable.header + signable.body).hex(),
            "signature": "0x" + bytes(signed.signature).hex(),
        })
    out = {
        "chain_id": DOMAIN["chainId"], "contract": DOMAIN["verifyingContract"],
        "private_key": "0x" + key.hex(), "signer": Account.from_key(key).address.lower(),
        "count": len(cases), "cases": cases,
    }
    pathlib.Path(__file__).with_name("eip712.json").write_text(json.dumps(out, indent=1) + "\n")


if __name__ == "__main__":
    main()
