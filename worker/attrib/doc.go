// Package attrib says which records of a datanet an answer came from, and by
// how much: "projgrad-v1".
//
// At training time [Build] takes, per record, the gradient of the loss on the
// record's answer by the adapter's parameters, at the trained adapter. Each
// matrix's part is scaled to the same mean energy, the whole is projected to a
// few hundred numbers by a seeded sparse sign projection (CountSketch: inner
// products survive in expectation, with the variance of a dense projection),
// whitened by the damped second moment of all records' projections (a
// Gauss-Newton preconditioner: directions that all records share count little),
// brought to unit length, because the gradients of memorised records are tiny,
// and rounded to 16-bit integers. All of it, with what the projection and the
// whitening need, is the [Index]: one file per adapter.
//
// [Index.Query] does the same with one (prompt, output) and scans: the integer
// cosine of output and record is the record's influence. What exceeds a null
// estimated from this query's own scores (see share.go) becomes weight; what
// nobody explains goes to the datanet's pool. At most a fixed share of the
// weight goes by verbatim spans, found exactly with a suffix array.
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
