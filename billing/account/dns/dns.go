// Package dns looks up the DNS records with which organizations prove their domains.
package dns

import (
	"context"
	"errors"
	"fmt"
	"net"
)

// Resolver looks records up. It implements [usher/billing/account.DomainResolver].
type Resolver struct{ resolver *net.Resolver }

// New returns a resolver; [net.DefaultResolver] asks the DNS servers of the machine.
func New(resolver *net.Resolver) Resolver { return Resolver{resolver} }

// TXT returns the TXT records of a name; none if it has none. An error means that DNS did not
// answer.
func (r Resolver) TXT(ctx context.Context, name string) ([]string, error) {
	// The dot keeps the search list of the machine out.
	values, err := r.resolver.LookupTXT(ctx, name+".")
	var failure *net.DNSError
	if errors.As(err, &failure) && failure.IsNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look up TXT records: %w", err)
	}
	return values, nil
}
