// Package web holds the web application: its source in app, the built assets in dist,
// embedded in the binary, and the handler that serves them.
//
// Invariants: the application talks to its own origin only, and the policy it is served
// with (Content-Security-Policy) lets it do nothing else: no inline script, no foreign
// frame, no plug-in; what dist holds is what app builds, byte for byte, which CI checks.
//
// It has no logic of the network: everything that the pages show comes from the HTTP API.
package web

//go:generate npm --prefix app run --silent generate
