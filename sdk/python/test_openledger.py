"""The client against a network: examples, and what they promise.

OPENLEDGER_API and OPENLEDGER_API_KEY name a network with a faucet, such as that of
`openledger devnet`. The datanet is the network's; OPENLEDGER_DATANET names one that takes
contributions of anybody.
"""

import asyncio
import os
import unittest

from eth_account import Account

from openledger import APIError, AsyncOpenLedger, OpenLedger, OverMaximum, Payments, sign

MODEL = os.environ.get("OPENLEDGER_MODEL", "openledger-tiny")
DATANET = int(os.environ.get("OPENLEDGER_DATANET", "1"))


class OwnAPI(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.net = cls.enterClassContext(OpenLedger())
        cls.network = cls.net.get_network()

    def test_who_works_here(self) -> None:
        self.assertEqual(self.network["base_name"], MODEL)
        (worker, *_) = self.net.list_workers()["workers"]
        self.assertGreater(worker["decode_tps"], 0)
        self.assertIn(MODEL, [m["id"] for m in self.net.list_all_models()["models"]])

    def test_records_are_contributed_one_by_one_and_together(self) -> None:
        me = Account.create()
        license = self.net.get_datanet(DATANET)["license"]
        record = sign.text_record({"title": "Grüße <&>\u2028", "2": "b", "10": me.address})
        taken = self.net.contribute(DATANET, sign.contribution(me, self.network, DATANET, license, record))
        self.assertEqual(taken["status"], "pending")
        self.assertEqual(taken["bytes"], len(record))

        records = [sign.text_record({"fact": f"{i} of {me.address}"}) for i in range(5)]
        results = self.net.contribute_batch(DATANET, sign.contributions(me, self.network, DATANET, license, records))
        self.assertEqual((results["failed"], len(results["results"])), (0, 5), results)

        with self.assertRaises(APIError) as refused:  # signed for another licence
            self.net.contribute(DATANET, sign.contribution(me, self.network, DATANET, "X", sign.text_record({"a": me.address})))
        self.assertEqual((refused.exception.status, refused.exception.param), (400, "license"))

    def test_a_key_is_issued_listed_rotated_and_revoked(self) -> None:
        me = Account.create()
        issued = self.net.create_key(sign.key_request(me, self.network, "sdk \"é\"", scopes=["read", "inference"], budget=10**18, requests_per_minute=5))
        (listed,) = self.net.list_keys({"account": me.address, **sign.key_action(me, self.network, "List")})["keys"]
        self.assertEqual((listed["id"], listed["label"]), (issued["id"], "sdk \"é\""))
        self.net.rotate_key(issued["id"], sign.key_action(me, self.network, "Rotate", issued["id"]))
        revoked = self.net.revoke_key(issued["id"], sign.key_action(me, self.network, "Revoke", issued["id"]))
        self.assertEqual(revoked["id"], issued["id"])

    def test_an_answer_its_receipt_and_whose_records_it_rests_on(self) -> None:
        import openai

        c = openai.OpenAI(base_url=self.net.base_url + "/v1", api_key=os.environ["OPENLEDGER_API_KEY"])
        usage = c.completions.create(model=MODEL, prompt="Once", max_tokens=4, temperature=0).usage
        receipt = self.net.get_receipt(usage.receipt)
        self.assertEqual(receipt["receipt"]["output_tokens"], usage.completion_tokens)
        self.assertEqual(self.net.explain_receipt(usage.receipt)["receipt"], usage.receipt)
        self.assertTrue(self.net.verify_receipt(usage.receipt)["ok"])
        self.assertGreaterEqual(len(self.net.get_usage(days=1)["usage"]), 1)

    def test_a_request_is_paid_for_itself(self) -> None:
        import httpx
        import openai

        me = Account.create()  # with nothing in the escrow: the payment is good, the money is missing
        payments = Payments(me, self.network, 10**18)
        with httpx.Client(auth=payments, timeout=60) as http:
            c = openai.OpenAI(base_url=self.net.base_url + "/v1", api_key="x402", http_client=http, max_retries=0)
            with self.assertRaises(openai.APIStatusError) as refused:
                c.completions.create(model=MODEL, prompt="Ünce", max_tokens=4)
            self.assertEqual((refused.exception.status_code, refused.exception.code), (402, "insufficient_funds"))
            self.assertEqual(payments.spent, 0)
            payments.maximum = 1
            with self.assertRaises(OverMaximum):
                http.post(self.net.base_url + "/v1/completions", json={"model": MODEL, "prompt": "Once"})

    def test_errors_name_the_field(self) -> None:
        with self.assertRaises(APIError) as refused:
            self.net.get_receipt("0x" + "00" * 32)
        self.assertEqual((refused.exception.status, refused.exception.code), (404, "not_found"))
        self.assertTrue((refused.exception.request_id or "").startswith("req_"))

    def test_asyncio(self) -> None:
        async def both() -> int:
            async with AsyncOpenLedger() as net:
                workers, batches = await asyncio.gather(net.list_workers(), net.list_batches())
                self.assertIsInstance(batches["batches"], list)
                return len(workers["workers"])

        self.assertGreaterEqual(asyncio.run(both()), 1)


if __name__ == "__main__":
    unittest.main()
