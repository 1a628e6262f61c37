package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// closers stops what was started, last first.
type closers []closer

type closer struct {
	name  string
	close func(context.Context) error
}

func (c *closers) add(name string, close func(context.Context) error) {
	*c = append(*c, closer{name, close})
}

// start runs work in the background. Closing calls stop and waits until work has returned.
func (c *closers) start(name string, stop func(), work func() error) {
	done := make(chan error, 1)
	go func() { done <- work() }()
	c.add(name, func(ctx context.Context) error {
		stop()
		select {
		case err := <-done:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}

// close calls every closer, each with a limit of drainTimeout, and joins their errors.
func (c closers) close() error {
	var errs []error
	for _, closer := range slices.Backward(c) {
		ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
		if err := closer.close(ctx); err != nil {
			errs = append(errs, fmt.Errorf("stop %s: %w", closer.name, err))
		}
		cancel()
	}
	return errors.Join(errs...)
}
