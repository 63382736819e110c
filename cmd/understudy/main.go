// Understudy learns an HTTP API from its ASP.NET Help Page and stands in for it. Run
// "understudy help" for its commands.
//
// Exit codes: 0 fine; 1 the target broke the contract; 2 usage or configuration;
// 3 the target could not be reached; 4 stopped for safety; 5 the known-failures
// file is stale; 6 inconclusive; 7 the machine: an output that cannot be written,
// requests that were lost at a stop.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	// After the first signal the default returns, so that a second one ends a
	// drain that takes too long.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr, os.Getenv}))
}
