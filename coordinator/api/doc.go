// Package api is the coordinator's HTTP face: the OpenAI-compatible endpoints under
// /v1, OpenLedger's own under /api/v1, the network as an MCP server under /mcp, and the
// web application on every other path.
//
// Invariants: every endpoint is a row of Server.table and is described in openapi.yaml;
// every request body is bounded; every error has OpenAI's shape, names the parameter and
// says what to do; what is done in an account's name needs its API key, with the scope
// and within the limits of that key, or carries the account's own signature.
//
// It decides nothing: it parses, calls the small interfaces that Config takes, and
// renders.
package api
