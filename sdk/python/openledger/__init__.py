"""A client of OpenLedger's own API: what OpenAI's client does not cover.

    from openledger import OpenLedger

    with OpenLedger("http://127.0.0.1:8420", api_key) as net:
        for worker in net.list_workers()["workers"]:
            print(worker["peer"], worker["decode_tps"])

Methods and types are generated from the API's description; ``openledger.sign`` makes what
accounts sign. For chats, embeddings and fine-tuning use the package ``openai``.
"""

from . import sign, types
from .operations import AsyncOperations, Operations
from .pay import OverMaximum, Payments
from .transport import APIError, Event


class OpenLedger(Operations):
    """A coordinator."""


class AsyncOpenLedger(AsyncOperations):
    """A coordinator, for asyncio."""


__all__ = ["APIError", "AsyncOpenLedger", "Event", "OpenLedger", "OverMaximum", "Payments", "sign", "types"]
