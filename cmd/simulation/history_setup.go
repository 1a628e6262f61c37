package main

import (
	"context"
	"fmt"
	"time"

	"usher/billing"
	"usher/billing/account"
)

// The people of each history. Guests have an account but no organization, and can be invited.
const (
	membersPerHistory = 5
	guestsPerHistory  = 2
)

// Everybody's password and its hash. The hash is a constant because hashing thousands of passwords
// would take most of the time.
const (
	password     = "usher-demo"
	passwordHash = "$argon2id$v=19$m=19456,t=2,p=1$jzBf6IYqJiwI1yqNmhmTPw$YyEbi9Co6sX7Z1oMUKrMpgXkFBPgALMv35z6J+mx7Bo"
)

// createHistories creates the batch's histories and inserts their organizations.
func (e *environment) createHistories(ctx context.Context) error {
	for n := range e.batch.histories {
		h := newHistory(e.historySeed(n))
		h.usher, h.stripe = liveApplication{ctx, e}, liveStripe{ctx, e}
		h.sessions, h.results = e.sessions, e.results
		if err := e.insertOrganization(ctx, h); err != nil {
			return fmt.Errorf("insert organization %s: %w", h.organizationID, err)
		}
		e.histories = append(e.histories, h)
	}
	e.results.histories = len(e.histories)
	return nil
}

// insertOrganization inserts a history's organization with its members and guests. Only the founder
// is billed.
func (e *environment) insertOrganization(ctx context.Context, h *history) error {
	now := time.Now()
	return e.store.InTx(ctx, func(tx billing.Tx) error {
		err := tx.Organizations().Insert(ctx, account.Organization{ID: h.organizationID, Name: "Simulation", CreatedAt: now})
		if err != nil {
			return err
		}
		for n := range membersPerHistory {
			if err := insertMember(ctx, tx, h, n, now); err != nil {
				return err
			}
		}
		for n := range guestsPerHistory {
			err := tx.Users().Insert(ctx, account.User{
				ID: guestID(h.seed, n), Email: guestEmail(h.seed, n), Name: "Guest", PasswordHash: passwordHash, CreatedAt: now, EmailVerifiedAt: &now,
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// insertMember inserts the nth member; the first is the founder.
func insertMember(ctx context.Context, tx billing.Tx, h *history, n int, now time.Time) error {
	user := account.User{
		ID: userID(h.seed, n), Email: fmt.Sprintf("p%d.%d@example.com", n, h.seed), Name: "Person",
		PasswordHash: passwordHash, CreatedAt: now, EmailVerifiedAt: &now,
	}
	if err := tx.Users().Insert(ctx, user); err != nil {
		return err
	}
	member := account.Member{
		ID: "mem_" + user.ID, OrganizationID: h.organizationID, UserID: user.ID, Role: account.Role{ID: account.RoleMember},
		Status: account.MemberActive, JoinedAt: now,
	}
	if n == 0 {
		member.Role.ID, member.Billable = account.RoleAdmin, true
	}
	return tx.Members().Insert(ctx, member)
}
