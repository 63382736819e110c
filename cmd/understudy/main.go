// Understudy learns an HTTP API from its ASP.NET Help Page and stands in for it. Run
// "understudy help" for its commands.
//
// Its exit codes are the constants of package testsuite whose names begin with Exit.
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
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr, os.Getenv}))
}
