"""What accounts sign: statements by EIP-712, requests by EIP-191.

A signer is an eth-account ``LocalAccount`` (``pip install openledger[sign]``), or anything
with its ``address``, ``sign_typed_data`` and ``sign_message``.
"""

import base64
import hashlib
import json
import time
import unicodedata
from collections.abc import Mapping
from typing import Any, Protocol

from . import types


class Signer(Protocol):
    """Signs as eth-account's LocalAccount does."""

    @property
    def address(self) -> str: ...
    def sign_typed_data(self, *, full_message: dict[str, Any]) -> Any: ...
    def sign_message(self, signable_message: Any) -> Any: ...


TYPES: dict[str, list[dict[str, str]]] = {
    name: [{"name": n, "type": t} for t, n in (f.split() for f in fields.split(", "))]
    for name, fields in {
        "Contribution": "uint64 datanet, bytes32 record, address contributor, string license, uint64 at",
        "ContributionBatch": "bytes32 root, uint32 count",
        "Review": "uint64 datanet, bytes32 record, string status, string reason, uint64 at",
        "ReviewBatch": "bytes32 root, uint32 count",
        "TransferWithAuthorization": "address from, address to, uint256 value, uint256 validAfter, uint256 validBefore, bytes32 nonce",
        "TrainingOrder": "address owner, string name, bytes32 base, uint64 datanet, uint32 version, string root, bytes32 hyperHash, uint256 access, uint16 royaltyBps, uint32 revision, bytes32[] parents, bytes32 nonce, uint64 deadline",
    }.items()
}
"""The structs of what the contracts check, as in protocol/wire."""


def now() -> int:
    """Unix milliseconds."""
    return time.time_ns() // 1_000_000


def typed_data(chain_id: int, contract: str, primary: str, message: Mapping[str, Any]) -> dict[str, Any]:
    """EIP-712 typed data in the network's domain."""
    return {
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"},
                {"name": "verifyingContract", "type": "address"},
            ],
            primary: TYPES[primary],
        },
        "primaryType": primary,
        "domain": {"name": "OpenLedger", "version": "1", "chainId": chain_id, "verifyingContract": contract},
        "message": dict(message),
    }


def sign_typed(signer: Signer, data: dict[str, Any]) -> bytes:
    return bytes(signer.sign_typed_data(full_message=data).signature)


def sign_text(signer: Signer, text: str) -> str:
    """EIP-191 (personal_sign), as the API takes it."""
    from eth_account.messages import encode_defunct

    return "0x" + bytes(signer.sign_message(encode_defunct(text=text)).signature).hex()


def text_record(fields: Mapping[str, str]) -> bytes:
    """The canonical bytes of a record of named texts; its name is their SHA2-256.

    Names and values become Unicode's normal form C. Names are in the order of their bytes.
    """
    normal = {unicodedata.normalize("NFC", k): unicodedata.normalize("NFC", v) for k, v in fields.items()}
    if len(normal) != len(fields):
        raise ValueError("two fields have one name")
    ordered = dict(sorted(normal.items(), key=lambda kv: kv[0].encode()))
    return json.dumps({"fields": ordered, "type": "text"}, ensure_ascii=False, separators=(",", ":")).encode()


def contribution(signer: Signer, network: types.Network, datanet: int, license: str, record: bytes, at: int | None = None) -> types.ContributeBody:
    """The body of ``contribute``: one record, signed by its contributor under the datanet's licence."""
    digest = "0x" + hashlib.sha256(record).hexdigest()
    c: types.Contribution = {"datanet": datanet, "record": digest, "contributor": signer.address, "license": license, "at": at or now()}
    data = typed_data(network["chain_id"], network["contracts"]["datanets"], "Contribution", {**c, "record": bytes.fromhex(digest[2:])})
    return {"contribution": c, "signature": base64.b64encode(sign_typed(signer, data)).decode(), "bytes": base64.b64encode(record).decode()}


def contributions(signer: Signer, network: types.Network, datanet: int, license: str, records: list[bytes], at: int | None = None) -> types.ContributeBatchBody:
    """The body of ``contribute_batch``: many records with one signature, over a Merkle tree of theirs."""
    at = at or now()
    each: list[types.Contribution] = [
        {"datanet": datanet, "record": "0x" + hashlib.sha256(r).hexdigest(), "contributor": signer.address, "license": license, "at": at} for r in records
    ]
    return {
        "signature": _sign_batch(signer, network, "Contribution", [{**c, "record": bytes.fromhex(c["record"][2:])} for c in each]),
        "contributions": [{"contribution": c, "bytes": base64.b64encode(r).decode()} for c, r in zip(each, records)],
    }


def reviews(signer: Signer, network: types.Network, datanet: int, decisions: list[tuple[str, types.ReviewStatus, str]], at: int | None = None) -> types.ReviewBatchBody:
    """The body of ``review_batch``: many of the owner's decisions (record, status, reason) with one signature.

    Where a datanet asks contributors for a stake, a rejection as abusive needs a signature of its own: ``review``.
    """
    at = at or now()
    each: list[types.Review] = [{"datanet": datanet, "record": record, "status": status, "reason": reason, "at": at} for record, status, reason in decisions]
    return {
        "signature": _sign_batch(signer, network, "Review", [{**r, "record": bytes.fromhex(r["record"][2:])} for r in each]),
        "reviews": [{"review": r} for r in each],
    }


def _sign_batch(signer: Signer, network: types.Network, statement: str, messages: list[dict[str, Any]]) -> str:
    """Signs the Merkle root of statements: leaf keccak256(0x00 | digest), node keccak256(0x01 | left | right)."""
    from eth_account.messages import encode_typed_data
    from eth_utils.crypto import keccak

    if not messages:
        raise ValueError("there is nothing to sign: a batch has one statement at least")
    chain, contract = network["chain_id"], network["contracts"]["datanets"]
    level: list[bytes] = []
    for message in messages:
        m = encode_typed_data(full_message=typed_data(chain, contract, statement, message))
        level.append(keccak(b"\0" + keccak(b"\x19" + m.version + m.header + m.body)))
    while len(level) > 1:  # the last node of an odd level goes up as it is
        pairs = [level[i : i + 2] for i in range(0, len(level), 2)]
        level = [keccak(b"\1" + b"".join(p)) if len(p) == 2 else p[0] for p in pairs]
    data = typed_data(chain, contract, statement + "Batch", {"root": level[0], "count": len(messages)})
    return base64.b64encode(sign_typed(signer, data)).decode()


def review(signer: Signer, network: types.Network, datanet: int, record: str, status: types.ReviewStatus, reason: str = "", at: int | None = None) -> types.SignedReview:
    """The body of ``review``: the owner's decision on a record, named by its digest."""
    at = at or now()
    message = {"datanet": datanet, "record": bytes.fromhex(record[2:]), "status": status, "reason": reason, "at": at}
    data = typed_data(network["chain_id"], network["contracts"]["datanets"], "Review", message)
    return {
        "review": {"datanet": datanet, "record": record, "status": status, "reason": reason, "at": at},
        "signature": base64.b64encode(sign_typed(signer, data)).decode(),
    }


def key_request(signer: Signer, network: types.Network, label: str, *, scopes: list[Any] | None = None, models: list[str] | None = None, expires: int = 0, requests_per_minute: int = 0, tokens_per_minute: int = 0, budget: int | None = None, budget_per_day: int | None = None) -> types.KeyRequest:
    """The body of ``create_key``. Times are Unix milliseconds, budgets wei."""
    at = now()
    lines = ["Issue an OpenLedger API key", f"coordinator: {network['peer']}", f"account: {signer.address}", f"label: {label}", f"at: {at}"]
    body: dict[str, Any] = {"requester": signer.address, "label": label, "at": at}
    for name, words in (("scopes", scopes), ("models", models)):
        if words:
            lines.append(f"{name}: [{' '.join(json.dumps(w, ensure_ascii=False) for w in words)}]")
            body[name] = words
    for name, n in (("expires", expires), ("requests_per_minute", requests_per_minute), ("tokens_per_minute", tokens_per_minute)):
        if n:
            lines.append(f"{name.replace('_', ' ')}: {n}")
            body[name] = n
    for name, wei in (("budget", budget), ("budget_per_day", budget_per_day)):
        if wei is not None:
            lines.append(f"{name.replace('_', ' ')}: {wei} wei")
            body[name] = str(wei)
    body["signature"] = sign_text(signer, "\n".join(lines))
    return body  # type: ignore[return-value]  # put together field by field


def key_action(signer: Signer, network: types.Network, action: str, key: str = "0x" + "00" * 32) -> dict[str, Any]:
    """The signed part of ``list_keys`` (List), ``revoke_key`` (Revoke) and ``rotate_key`` (Rotate)."""
    at = now()
    text = f"{action} OpenLedger API keys\ncoordinator: {network['peer']}\naccount: {signer.address}\nkey: {key}\nat: {at}"
    return {"at": at, "signature": sign_text(signer, text)}
