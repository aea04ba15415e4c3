"""What is signed for many statements at once is what Go signs.

protocol/wire/testdata has the vectors. No network is needed.
"""

import base64
import json
import pathlib
import unittest

from eth_account import Account

from openledger import sign

VECTORS = pathlib.Path(__file__).parents[2] / "protocol" / "wire" / "testdata" / "batch.json"


class Vectors(unittest.TestCase):
    def test_reviews_are_signed_together_as_the_contracts_check_them(self) -> None:
        vectors = json.loads(VECTORS.read_text())
        me = Account.from_key(vectors["private_key"])
        network = {"chain_id": vectors["chain_id"], "contracts": {"datanets": vectors["contract"]}}
        batches = [b for b in vectors["batches"] if b["kind"] == "ReviewBatch"]
        self.assertTrue(batches)
        for b in batches:
            decisions = [(s["record"], s["status"], s.get("reason", "")) for s in b["statements"]]
            body = sign.reviews(me, network, b["statements"][0]["datanet"], decisions, b["statements"][0]["at"])
            self.assertEqual("0x" + base64.b64decode(body["signature"]).hex(), b["signature"])
            self.assertEqual(len(body["reviews"]), len(decisions))
        with self.assertRaises(ValueError):
            sign.reviews(me, network, 1, [])


if __name__ == "__main__":
    unittest.main()
