"""What the examples are run against: the addresses and keys of the environment.

OPENLEDGER_API and OPENLEDGER_API_KEY name a network, such as that of `openledger devnet`.
The other keys are those that the project's own tests make; what needs one is skipped
where there is none.
"""

import os
import unittest

import openai

API = os.environ.get("OPENLEDGER_API", "http://127.0.0.1:8420")


def client(variable: str = "OPENLEDGER_API_KEY") -> openai.OpenAI:
    """The official client, told nothing but where to ask and with which key."""
    key = os.environ.get(variable)
    if not key:
        raise unittest.SkipTest(f"${variable} is not set")
    return openai.OpenAI(base_url=API + "/v1", api_key=key, max_retries=0)


def base(c: openai.OpenAI) -> str:
    """The network's base model."""
    return os.environ.get("OPENLEDGER_MODEL") or c.models.list().data[0].id
