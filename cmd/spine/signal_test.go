package main

import (
	"context"
	"os"
	"syscall"
	"testing"

	"github.com/jonboulle/clockwork"
)

func TestSignals(t *testing.T) {
	clock := clockwork.NewFakeClock()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	signals := make(chan os.Signal) // a send that is through was understood
	quit := make(chan struct{})
	go obey(ctx, signals, clock, stop, func() { close(quit) })

	signals <- syscall.SIGTERM
	<-ctx.Done()
	signals <- os.Interrupt // at once: the same request
	signals <- syscall.SIGTERM
	clock.Advance(sameRequest)
	signals <- syscall.SIGTERM
	signals <- syscall.SIGTERM // the one before is dealt with
	select {
	case <-quit:
		t.Fatal("the process ends without stopping, and nobody pressed Ctrl-C again")
	default:
	}
	signals <- os.Interrupt
	<-quit
}
