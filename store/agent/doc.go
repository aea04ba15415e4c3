// Package agent holds the manifests of agents: what an agent is told to do, with which
// model, tools and datanets, whose it is and what a request costs.
//
// A manifest has one canonical form (JSON as in RFC 8785) and is one raw block of the
// content store; its CID is what the owner signs and what the registry keeps.
//
// Invariants: only the canonical bytes of a valid manifest are decoded, so a CID names one
// manifest; every text and list is bounded.
//
// It serves no agent, asks no chain and checks no signature.
package agent
