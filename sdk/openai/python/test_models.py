"""Models, text completions and embeddings."""

import asyncio
import math
import unittest
from array import array

import openai

from setting import API, base, client


class Models(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.client = client()
        cls.model = base(cls.client)

    def test_models_have_their_provenance(self):
        listed = {m.id: m for m in self.client.models.list()}
        one = self.client.models.retrieve(self.model)
        self.assertEqual(one, listed[self.model])
        self.assertRegex(one.openledger["base"], "^0x[0-9a-f]{64}$")

    def test_a_completion_whole_and_streamed(self):
        asked = {"model": self.model, "prompt": "Once upon a time", "max_tokens": 8, "seed": 3}
        whole = self.client.completions.create(**asked, logprobs=1)
        self.assertEqual(whole.object, "text_completion")
        self.assertEqual(len(whole.choices[0].logprobs.tokens), whole.usage.completion_tokens)
        text = "".join(c.choices[0].text for c in self.client.completions.create(**asked, stream=True))
        self.assertEqual(text, whole.choices[0].text)

    def test_several_at_once(self):
        async def ask() -> list:
            async with openai.AsyncOpenAI(base_url=API + "/v1", api_key=self.client.api_key) as c:
                return await asyncio.gather(
                    *(c.completions.create(model=self.model, prompt="Once", max_tokens=3, seed=i) for i in range(4))
                )

        self.assertEqual(len({a.usage.receipt for a in asyncio.run(ask())}), 4)

    def test_embeddings_are_of_length_one(self):
        texts = ["The hare", "The tortoise"]
        got = self.client.embeddings.create(model=self.model, input=texts)
        self.assertEqual([e.index for e in got.data], [0, 1])
        for e in got.data:
            self.assertAlmostEqual(math.hypot(*e.embedding), 1, places=4)
        self.assertGreater(got.usage.prompt_tokens, 0)
        plain = self.client.embeddings.create(model=self.model, input=texts, encoding_format="float")
        for packed, written in zip(got.data, plain.data):  # base64 on the way, and decimals
            self.assertEqual(array("f", packed.embedding), array("f", written.embedding))


if __name__ == "__main__":
    unittest.main()
