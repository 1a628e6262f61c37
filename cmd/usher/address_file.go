package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// writeAddressFile writes the address of a server in DATA_DIR, where subcommands find it, and
// removes the file when the server stops.
func writeAddressFile(file, address string, closers *closers) error {
	if err := os.WriteFile(file, []byte(address+"\n"), 0o600); err != nil {
		return err
	}
	closers.add(file, func(context.Context) error { return os.Remove(file) })
	return nil
}

func readAddressFile(file string) (string, error) {
	address, err := os.ReadFile(file)
	return strings.TrimSpace(string(address)), err
}

// notRunningError explains that an address file does not exist. It returns other errors, and nil,
// as they are.
func notRunningError(err error, variable, server string, c Config) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return fmt.Errorf("%s is unset, and no running `usher` with DATA_DIR=%s has a %s. "+
		"Set it, or start `usher` first", variable, c.DataDir, server)
}
