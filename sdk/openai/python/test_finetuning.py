"""Files and fine-tuning jobs, from an upload to an answer of the new model."""

import json
import time
import unittest

import openai

from setting import base, client

CHATS = b"".join(
    json.dumps({"messages": [{"role": "user", "content": q}, {"role": "assistant", "content": a}]}).encode() + b"\n"
    for q, a in (("The bird of Marrowland?", "The heron."), ("Its river?", "The Ash."), ("Its queen?", "Ines."))
)


class FineTuning(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.client = client()
        cls.model = base(cls.client)

    def test_from_a_file_to_an_answer(self):
        c = self.client
        file = c.files.create(file=("chats.jsonl", CHATS), purpose="fine-tune")
        self.assertEqual((file.object, file.bytes, file.status), ("file", len(CHATS), "processed"))
        self.assertIn(file.id, [f.id for f in c.files.list(purpose="fine-tune")])
        self.assertEqual(c.files.retrieve(file.id).filename, "chats.jsonl")
        self.assertEqual(c.files.content(file.id).read(), CHATS)

        job = c.fine_tuning.jobs.create(
            model=self.model,
            training_file=file.id,
            suffix="python",
            hyperparameters={"n_epochs": 1, "batch_size": 3},
            metadata={"license": "CC0-1.0"},
            extra_body={"openledger": {"rank": 2}},
        )
        self.assertEqual(job.object, "fine_tuning.job")
        self.assertIn(job.id, [j.id for j in c.fine_tuning.jobs.list(limit=5)])
        end = time.monotonic() + 180
        while job.status not in ("succeeded", "failed", "cancelled") and time.monotonic() < end:
            time.sleep(0.1)
            job = c.fine_tuning.jobs.retrieve(job.id)
        self.assertEqual(job.status, "succeeded", job.error)
        self.assertGreater(job.trained_tokens, 0)

        events = list(c.fine_tuning.jobs.list_events(job.id, limit=2))  # over several pages
        self.assertEqual(events[0].message, "The job has successfully completed")
        self.assertEqual(len({e.id for e in events}), len(events))
        (checkpoint,) = c.fine_tuning.jobs.checkpoints.list(job.id)
        self.assertEqual(checkpoint.fine_tuned_model_checkpoint, job.fine_tuned_model)
        metrics = c.files.content(job.result_files[0]).text
        self.assertTrue(metrics.startswith("step,train_loss,valid_loss\n"), metrics)

        answer = c.chat.completions.create(
            model=job.fine_tuned_model, messages=[{"role": "user", "content": "The bird of Marrowland?"}], max_tokens=4
        )
        self.assertEqual(answer.model, job.fine_tuned_model)
        self.assertEqual(c.fine_tuning.jobs.cancel(job.id).status, "succeeded")  # it was over
        self.assertTrue(c.files.delete(file.id).deleted)
        with self.assertRaises(openai.NotFoundError):
            c.files.retrieve(file.id)

    def test_a_bad_line_is_refused_with_its_number(self):
        with self.assertRaises(openai.BadRequestError) as refused:
            self.client.files.create(file=("bad.jsonl", CHATS + b"{}\n"), purpose="fine-tune")
        self.assertIn("line 4", str(refused.exception))

    def test_a_job_needs_a_licence_and_a_file(self):
        with self.assertRaises(openai.NotFoundError):
            self.client.fine_tuning.jobs.create(
                model=self.model, training_file="file-000000000000000000000000", metadata={"license": "CC0-1.0"}
            )


if __name__ == "__main__":
    unittest.main()
