// Package mcpclient calls the tool servers of agents by the Model Context Protocol, over
// Streamable HTTP.
//
// A tool server is named by an agent's owner, whom nobody vouches for, and may be anything.
// Invariants: it is reached by https at a public address only, checked where the connection
// is made, unless the operator named its host; nothing of the requester's goes to it but the
// arguments that the model wrote; what is read of it is bounded in bytes and time; what it
// gives is text for a model, and is never acted upon.
//
// It runs no loop and knows neither models nor money.
package mcpclient
