"""Every refusal arrives as the client's own exception, with its code and parameter."""

import time
import unittest

import openai

from setting import API, base, client


class Errors(unittest.TestCase):
    def raises(self, kind: type[openai.APIStatusError], code: str, param: str | None, call):
        with self.assertRaises(kind) as refused:
            call()
        e = refused.exception
        self.assertEqual((e.code, e.param), (code, param), e.message)
        self.assertTrue(e.response.headers["x-request-id"].startswith("req_"))
        self.assertEqual(e.request_id, e.response.headers["x-request-id"])
        return e

    def ask(self, c: openai.OpenAI, **more):
        return c.completions.create(**{"model": base(client()), "prompt": "Hi", "max_tokens": 2, **more})

    def test_a_wrong_key(self):
        wrong = openai.OpenAI(base_url=API + "/v1", api_key="ol-wrong", max_retries=0)
        self.raises(openai.AuthenticationError, "invalid_api_key", "api_key", lambda: wrong.models.list())

    def test_an_expired_key(self):
        c = client("OPENLEDGER_EXPIRING_KEY")
        end = time.monotonic() + 60
        while time.monotonic() < end:  # it expires while the tests run
            try:
                c.models.list()
            except openai.AuthenticationError:
                break
            time.sleep(0.2)
        self.raises(openai.AuthenticationError, "invalid_api_key", "api_key", lambda: c.models.list())

    def test_an_unknown_model(self):
        c = client()
        self.raises(openai.NotFoundError, "model_not_found", "model", lambda: self.ask(c, model="nobody"))
        self.raises(openai.NotFoundError, "model_not_found", "model", lambda: c.models.retrieve("nobody"))

    def test_bad_parameters(self):
        c = client()
        for param, value in {"top_p": 2, "max_tokens": -1, "seed": "x", "best_of": 3, "suffix": "end"}.items():
            with self.subTest(param):
                self.raises(openai.BadRequestError, "invalid", param, lambda: self.ask(c, **{param: value}))

    def test_a_refusal_before_a_stream_has_its_status(self):
        self.raises(openai.BadRequestError, "invalid", "top_p", lambda: self.ask(client(), top_p=2, stream=True))

    def test_a_key_for_something_else(self):
        c = client("OPENLEDGER_READ_KEY")
        self.raises(openai.PermissionDeniedError, "insufficient_scope", "api_key", lambda: self.ask(c))

    def test_a_budget_that_is_spent(self):
        e = self.raises(openai.APIStatusError, "insufficient_escrow", "api_key", lambda: self.ask(client("OPENLEDGER_POOR_KEY")))
        self.assertEqual((e.status_code, e.type), (402, "insufficient_quota"))

    def test_rate_limits(self):
        c = client("OPENLEDGER_LIMITED_KEY")  # two requests a minute
        left = []
        for _ in range(2):
            raw = c.models.with_raw_response.list()
            self.assertEqual(raw.headers["x-ratelimit-limit-requests"], "2")
            left.append(int(raw.headers["x-ratelimit-remaining-requests"]))
        self.assertEqual(left, [1, 0])
        e = self.raises(openai.RateLimitError, "rate_limit_exceeded", "api_key", lambda: c.models.list())
        self.assertGreater(int(e.response.headers["retry-after"]), 0)


if __name__ == "__main__":
    unittest.main()
