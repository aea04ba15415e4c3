// Package finetune trains a LoRA adapter over a frozen base model, quantised or not:
// records of a datanet become (prompt, answer) examples, and the adapter learns to
// answer. Some records may be held out; then the adapter with the lowest loss on them
// is the result, and the training stops when that loss falls no more.
//
// Invariants: the loss is on the answer's tokens only, and examples do not see each
// other; the adapter is a pure function of (base, examples, Config), whatever the
// number of threads, however the examples are cut into batches and passes, and whether
// or not the run was killed and resumed from a checkpoint on the way; a step allocates
// nothing. The steps are those of PyTorch with PEFT, within the bounds of golden_test.go.
//
// It does not fetch records, publish adapters or know of orders and payments. It has no
// dropout.
package finetune
