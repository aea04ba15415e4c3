"""Payments of single requests by HTTP 402 (x402), in the place of an API key.

    http = httpx.Client(auth=Payments(account, network, 10**16), timeout=130)
    openai.OpenAI(base_url=net.base_url + "/v1", api_key="x402", http_client=http, max_retries=0)

The account has deposited in the escrow and let the coordinator's session key spend.
"""

import base64
import hashlib
import json
import os
import threading
import time
from collections.abc import Generator
from typing import Any

import httpx

from . import types
from .sign import Signer, sign_typed, typed_data


class OverMaximum(Exception):
    """A request may cost more than is left of the maximum: nothing was signed for it."""


class Payments(httpx.Auth):
    """Signs a payment of each request that is answered with 402, and sends it again.

    Only payments from the network's escrow to its coordinator are signed, each good for
    its one request, and all together for ``maximum`` wei. What an answer did not cost
    counts again; a stream's counts in full.
    """

    requires_request_body = True

    def __init__(self, signer: Signer, network: types.Network, maximum: int) -> None:
        self._signer, self._network, self.maximum = signer, network, maximum
        self.spent = 0
        self._lock = threading.Lock()

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers.pop("Authorization", None)
        response = yield request
        required = response.headers.get("PAYMENT-REQUIRED")
        if response.status_code != 402 or required is None:
            return
        header, value = self._sign(json.loads(base64.b64decode(required)), request)
        request.headers["PAYMENT-SIGNATURE"] = header
        response = yield request
        told = response.headers.get("PAYMENT-RESPONSE")
        result = json.loads(base64.b64decode(told)) if told else {}
        charged = int(result.get("amount", value)) if result.get("success", True) else 0
        with self._lock:
            self.spent -= value - charged

    def _sign(self, required: dict[str, Any], request: httpx.Request) -> tuple[str, int]:
        network, escrow, session = f"eip155:{self._network['chain_id']}", self._network["contracts"]["escrow"], self._network["session_key"]
        for terms in required["accepts"]:
            wanted = (terms["scheme"], terms["network"], terms["asset"].lower(), terms["payTo"].lower())
            if wanted == ("exact", network, escrow.lower(), session.lower()):
                break
        else:
            raise ValueError(f"the coordinator takes no payment from the escrow {escrow} on {network} to {session}")
        value = int(terms["amount"])
        with self._lock:
            if self.spent + value > self.maximum:
                raise OverMaximum(f"this request may cost {value} wei, and {self.maximum - self.spent} of the maximum are left: ask for fewer tokens, or allow more")
            self.spent += value
        salt = os.urandom(32)
        what = hashlib.sha256(f"{request.method} {request.url.path}\n".encode() + request.content).digest()
        nonce = hashlib.sha256(salt + what).digest()
        now = int(time.time())
        message = {"from": self._signer.address, "to": session, "value": value, "validAfter": now - 600, "validBefore": now + terms["maxTimeoutSeconds"], "nonce": nonce}
        signature = sign_typed(self._signer, typed_data(self._network["chain_id"], escrow, "TransferWithAuthorization", message))
        authorization = {k: "0x" + v.hex() if isinstance(v, bytes) else str(v) for k, v in message.items()}
        payload = {"signature": "0x" + signature.hex(), "authorization": authorization, "salt": "0x" + salt.hex()}
        raw = json.dumps({"x402Version": 2, "resource": required["resource"], "accepted": terms, "payload": payload}).encode()
        return base64.b64encode(raw).decode(), value
