// Package api is the coordinator's HTTP face: the OpenAI-compatible endpoints under
// /v1 and OpenLedger's own under /api/v1.
//
// Invariants: every request body is bounded; every error has OpenAI's shape, names
// the parameter and says what to do; inference needs an API key; what changes a
// datanet or starts training carries the signature of the account that owns it, so
// these endpoints need no key.
//
// It decides nothing: it parses, calls the small interfaces declared in service.go,
// and renders.
package api
