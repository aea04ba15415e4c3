"""Chats: whole, streamed, with tools, held to a schema, with log-probabilities."""

import json
import unittest
from typing import Literal

import openai
from openai.types.chat import ChatCompletionToolParam
from pydantic import BaseModel

from setting import base, client

WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {"place": {"enum": ["Oslo", "Rome"]}, "days": {"enum": [1, 2, 3]}},
            "required": ["place", "days"],
            "additionalProperties": False,
        },
    },
}


class Animal(BaseModel):
    kind: Literal["hare", "tortoise"]
    legs: Literal[4]


class Chat(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.client = client()
        cls.model = base(cls.client)

    def ask(self, **more):
        return self.client.chat.completions.create(
            model=self.model,
            messages=[{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Who won the race?"}],
            **{"max_tokens": 12, "temperature": 0, **more},
        )

    def test_an_answer_has_its_usage_fee_and_receipt(self):
        answer = self.ask()
        self.assertEqual(answer.object, "chat.completion")
        self.assertIn(answer.choices[0].finish_reason, ("stop", "length"))
        usage = answer.usage
        self.assertGreater(usage.completion_tokens, 0)
        self.assertEqual(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens)
        self.assertGreater(int(usage.fee), 0)  # wei; not OpenAI's, and kept by the client
        self.assertRegex(usage.receipt, "^0x[0-9a-f]{64}$")

    def test_a_stream_brings_the_same_text(self):
        whole = self.ask(temperature=1, seed=7)
        text, usage = "", None
        for chunk in self.ask(temperature=1, seed=7, stream=True, stream_options={"include_usage": True}):
            for choice in chunk.choices:
                text += choice.delta.content or ""
            usage = chunk.usage or usage
        self.assertEqual(text, whole.choices[0].message.content)
        self.assertEqual(usage.completion_tokens, whole.usage.completion_tokens)

    def test_the_stream_helper_adds_up(self):
        with self.client.chat.completions.stream(
            model=self.model, messages=[{"role": "user", "content": "Hello"}], max_tokens=8, temperature=0
        ) as stream:
            text = "".join(e.delta for e in stream if e.type == "content.delta")
        self.assertEqual(text, stream.current_completion_snapshot.choices[0].message.content)

    def test_the_same_seed_draws_the_same(self):
        texts = {self.ask(temperature=1.5, seed=11).choices[0].message.content for _ in range(2)}
        self.assertEqual(len(texts), 1)

    def test_stop_ends_before_the_word(self):
        whole = self.ask().choices[0].message.content
        self.assertGreater(len(whole), 1)
        cut = self.ask(stop=[whole[1]])
        self.assertEqual(cut.choices[0].finish_reason, "stop")
        self.assertEqual(cut.choices[0].message.content, whole[: whole.index(whole[1])])

    def test_log_probabilities_spell_the_answer(self):
        answer = self.ask(logprobs=True, top_logprobs=2)
        tokens = answer.choices[0].logprobs.content
        self.assertEqual(len(tokens), answer.usage.completion_tokens)
        spelt = b"".join(bytes(t.bytes) for t in tokens if t.bytes)
        self.assertEqual(spelt.decode(), answer.choices[0].message.content)
        self.assertTrue(all(t.logprob <= 0 and len(t.top_logprobs) == 2 for t in tokens))

    def test_a_schema_holds_the_answer(self):
        parsed = self.client.chat.completions.parse(
            model=self.model, messages=[{"role": "user", "content": "An animal"}], response_format=Animal, max_tokens=120, seed=1
        )
        self.assertEqual(parsed.choices[0].message.parsed.legs, 4)

    def test_a_required_tool_is_called_and_answered(self):
        question = {"role": "user", "content": "Weather?"}
        first = self.client.chat.completions.create(
            model=self.model, messages=[question], tools=[WEATHER], tool_choice="required", max_tokens=200, seed=1
        )
        self.assertEqual(first.choices[0].finish_reason, "tool_calls")
        call = first.choices[0].message.tool_calls[0]
        self.assertEqual(call.function.name, "weather")
        self.assertIn(json.loads(call.function.arguments)["place"], ("Oslo", "Rome"))
        second = self.client.chat.completions.create(
            model=self.model,
            messages=[question, first.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "rain"}],
            tools=[WEATHER],
            max_tokens=4,
        )
        self.assertGreater(second.usage.prompt_tokens, first.usage.prompt_tokens)

    def test_a_named_function_streams_its_arguments(self):
        arguments, name = "", ""
        for chunk in self.client.chat.completions.create(
            model=self.model,
            messages=[{"role": "user", "content": "Weather?"}],
            tools=[WEATHER],
            tool_choice={"type": "function", "function": {"name": "weather"}},
            max_tokens=200,
            stream=True,
        ):
            for choice in chunk.choices:
                for call in choice.delta.tool_calls or []:
                    name = call.function.name or name
                    arguments += call.function.arguments or ""
        self.assertEqual(name, "weather")
        self.assertEqual(set(json.loads(arguments)), {"place", "days"})

    def test_an_idempotency_key_is_paid_once(self):
        header = {"Idempotency-Key": "python-" + self.id()}
        receipts = {self.ask(extra_headers=header).usage.receipt for _ in range(2)}
        self.assertEqual(len(receipts), 1)

    def test_what_is_not_supported_is_refused_by_name(self):
        for more, param in (({"n": 2}, "n"), ({"temperature": 3}, "temperature"), ({"max_tokens": 0}, "max_tokens")):
            with self.subTest(param), self.assertRaises(openai.BadRequestError) as refused:
                self.ask(**more)
            self.assertEqual(refused.exception.param, param)


if __name__ == "__main__":
    unittest.main()
