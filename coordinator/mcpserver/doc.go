// Package mcpserver offers the network to other agents by the Model Context Protocol: tools
// that ask models and agents and look at what answers cost and came from, and receipts and
// blocks as resources.
//
// Every tool is one request to the coordinator's own HTTP API under the caller's API key, so
// keys, limits and budgets hold as for any client.
//
// Invariants: it keeps nothing between calls; what it reads of an answer is bounded.
package mcpserver
