"""HTTP to a coordinator: requests, answers, errors."""

import json
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import IO, Any, NamedTuple, TypeAlias
from urllib.parse import quote

import httpx

DEFAULT_URL = "http://127.0.0.1:8420"
DEFAULT_TIMEOUT = 130.0  # seconds; an inference may take two minutes

Body: TypeAlias = bytes | IO[bytes]
Form: TypeAlias = Mapping[str, str | tuple[str, bytes | IO[bytes]] | tuple[str, bytes | IO[bytes], str]]
"""Fields of a form: texts, and files as (name, bytes) or (name, bytes, media type)."""


class APIError(Exception):
    """What the coordinator refused, in OpenAI's shape: the message says what to do."""

    def __init__(self, status: int, error: Mapping[str, Any], request_id: str | None) -> None:
        super().__init__(error.get("message") or f"the coordinator answered {status}")
        self.status = status
        self.type: str | None = error.get("type")
        self.code: str | None = error.get("code")
        self.param: str | None = error.get("param")
        """The field that it is about."""
        self.request_id = request_id
        """Names the request in the coordinator's log."""


class Event(NamedTuple):
    """A server-sent event, its data read as JSON."""

    event: str
    id: str
    data: Any


def part(value: object) -> str:
    """A value as one part of a path."""
    return quote(str(value), safe="")


def refusal(res: httpx.Response) -> APIError:
    try:
        error = res.json()["error"]
    except (ValueError, KeyError, TypeError):
        error = {}
    return APIError(res.status_code, error if isinstance(error, dict) else {}, res.headers.get("x-request-id"))


def _request(body: Any, media: str | None, query: Mapping[str, Any] | None) -> dict[str, Any]:
    out: dict[str, Any] = {"params": {k: v for k, v in (query or {}).items() if v is not None}}
    if body is None:
        return out
    if media is None:
        out["json"] = body
    elif media == "multipart/form-data":
        out["data"] = {k: v for k, v in body.items() if isinstance(v, str)}
        out["files"] = {k: v for k, v in body.items() if not isinstance(v, str)}
    else:
        out["content"] = body
        out["headers"] = {"Content-Type": media}
    return out


class _Lines:
    """Puts server-sent events together from their lines."""

    def __init__(self) -> None:
        self.event, self.id, self.data = "message", "", list[str]()

    def take(self, line: str) -> Event | None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if line == "":
            text, event = "\n".join(self.data), self.event
            self.event, self.data = "message", []
            if text and text != "[DONE]":
                return Event(event, self.id, json.loads(text))
        elif name == "data":
            self.data.append(value)
        elif name == "event":
            self.event = value
        elif name == "id":
            self.id = value
        return None


class _Settings:
    def __init__(self, base_url: str | None, api_key: str | None) -> None:
        self.base_url = (base_url or os.environ.get("OPENLEDGER_API") or DEFAULT_URL).rstrip("/")
        self._key = api_key or os.environ.get("OPENLEDGER_API_KEY")

    def _headers(self, keyed: bool) -> dict[str, str]:
        if not keyed:
            return {}
        if not self._key:
            raise ValueError("this needs an API key: pass api_key or set $OPENLEDGER_API_KEY")
        return {"Authorization": "Bearer " + self._key}


class Transport(_Settings):
    """A connection pool to one coordinator. Close it, or use it in a with statement."""

    def __init__(self, base_url: str | None = None, api_key: str | None = None, *, timeout: float = DEFAULT_TIMEOUT, http: httpx.Client | None = None) -> None:
        super().__init__(base_url, api_key)
        self._http = http or httpx.Client(timeout=timeout)

    def close(self) -> None:
        self._http.close()

    def __enter__(self):  # type: ignore[no-untyped-def]  # of the class that is entered
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _send(self, method: str, path: str, *, body: Any = None, media: str | None = None, query: Mapping[str, Any] | None = None, keyed: bool = False) -> httpx.Response:
        asked = _request(body, media, query)
        headers = {**asked.pop("headers", {}), **self._headers(keyed)}
        res = self._http.request(method, self.base_url + path, headers=headers, **asked)
        if not res.is_success:
            raise refusal(res)
        return res

    def _json(self, method: str, path: str, **asked: Any) -> Any:
        res = self._send(method, path, **asked)
        return res.json() if res.content else None

    def _bytes(self, method: str, path: str, **asked: Any) -> bytes:
        return self._send(method, path, **asked).content

    def _none(self, method: str, path: str, **asked: Any) -> None:
        self._send(method, path, **asked)

    def _events(self, method: str, path: str, *, keyed: bool = False, **asked: Any) -> Iterator[Event]:
        lines = _Lines()
        with self._http.stream(method, self.base_url + path, headers=self._headers(keyed), timeout=None, **_request(asked.get("body"), asked.get("media"), asked.get("query"))) as res:
            if not res.is_success:
                res.read()
                raise refusal(res)
            for line in res.iter_lines():
                if (event := lines.take(line)) is not None:
                    yield event


class AsyncTransport(_Settings):
    """The same for asyncio. Close it, or use it in an async with statement."""

    def __init__(self, base_url: str | None = None, api_key: str | None = None, *, timeout: float = DEFAULT_TIMEOUT, http: httpx.AsyncClient | None = None) -> None:
        super().__init__(base_url, api_key)
        self._http = http or httpx.AsyncClient(timeout=timeout)

    async def close(self) -> None:
        await self._http.aclose()

    async def __aenter__(self):  # type: ignore[no-untyped-def]  # of the class that is entered
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _send(self, method: str, path: str, *, body: Any = None, media: str | None = None, query: Mapping[str, Any] | None = None, keyed: bool = False) -> httpx.Response:
        asked = _request(body, media, query)
        headers = {**asked.pop("headers", {}), **self._headers(keyed)}
        res = await self._http.request(method, self.base_url + path, headers=headers, **asked)
        if not res.is_success:
            raise refusal(res)
        return res

    async def _json(self, method: str, path: str, **asked: Any) -> Any:
        res = await self._send(method, path, **asked)
        return res.json() if res.content else None

    async def _bytes(self, method: str, path: str, **asked: Any) -> bytes:
        return (await self._send(method, path, **asked)).content

    async def _none(self, method: str, path: str, **asked: Any) -> None:
        await self._send(method, path, **asked)

    async def _events(self, method: str, path: str, *, keyed: bool = False, **asked: Any) -> AsyncIterator[Event]:
        lines = _Lines()
        async with self._http.stream(method, self.base_url + path, headers=self._headers(keyed), timeout=None, **_request(asked.get("body"), asked.get("media"), asked.get("query"))) as res:
            if not res.is_success:
                await res.aread()
                raise refusal(res)
            async for line in res.aiter_lines():
                if (event := lines.take(line)) is not None:
                    yield event
