// Command openledger runs every part of an OpenLedger network: development networks,
// coordinators, workers and chains, and the verbs of their users.
//
// A file holds one verb. Verbs turn flags into a package's Config, run it and print;
// the environment is read here and nowhere else.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// version is set by the build.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	c := &cli{out: os.Stdout, err: os.Stderr, in: os.Stdin}
	err := newRoot(c).ExecuteContext(ctx)
	switch {
	case err == nil:
	case errors.Is(err, errReported):
		os.Exit(1)
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		fmt.Fprintln(c.err, "interrupted")
		os.Exit(130)
	default:
		fmt.Fprintln(c.err, "error:", err)
		os.Exit(1)
	}
}
