// Package finetune trains a LoRA adapter over a frozen base model: records of a
// datanet become (prompt, answer) examples, and the adapter learns to answer.
//
// Invariants: the loss is on the answer's tokens only; the adapter is a pure
// function of (base, examples, Config), whatever the number of threads, and
// whether or not the run was killed and resumed from a checkpoint on the way.
//
// It does not fetch records, publish adapters or know of orders and payments.
package finetune
