// Package attrib says which records of a datanet an answer came from, and by
// how much: "projgrad-v1".
//
// At training time [Build] takes, per record, the gradient of the loss on the
// record's answer by the adapter's parameters, on the way to the trained adapter
// (see partway). It is projected to a thousand numbers by a seeded sparse sign
// projection, brought to unit length, so that long, hard or odd records count no
// more than others, and rounded to 16-bit integers. All of it is the [Index]: one
// file per adapter.
//
// [Index.Query] does the same with one (prompt, output) and scans: the integer
// cosine of output and record is the record's influence. What exceeds a null
// estimated from this query's own scores (see share.go) becomes weight; what
// nobody explains goes to the datanet's pool. At most a fixed share of the
// weight goes by verbatim spans, found exactly with a suffix array.
//
// Preconditioning by the damped second moment of the records' gradients, as in
// DataInf, was tried and left out: it costs LDS here (0.75 against 0.80), and an
// output in other words than the records' lies mostly outside what they span.
//
// Invariants: an attribution is a pure function of (model, adapter, index,
// prompt, output): whoever holds those recomputes the same bytes ([Verify]).
// Weights are integers that add up, with the pool, to protocol.WeightScale. The
// index marshals deterministically, and parsing a foreign one is bounded.
//
// It is an estimate of influence, true on average, not the cause of one output.
// It does not pay, fetch or sign anything, and knows no contributors but by the
// account that stands beside a record.
package attrib
