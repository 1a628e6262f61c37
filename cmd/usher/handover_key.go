package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"

	"usher/billing/secrets"
)

// runHandoverKey prints a random key. It is stored nowhere.
func runHandoverKey(_ context.Context, inv *invocation) error {
	inv.jsonFlag()
	if err := inv.parseFlags(); err != nil {
		return err
	}
	var key secrets.Key
	rand.Read(key[:]) // never fails
	text := base64.StdEncoding.EncodeToString(key[:])
	return inv.print(map[string]string{"key": text}, text+"\n")
}
