package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/apperr"
)

// userOptions are the flags of `usher user`.
type userOptions struct {
	name, newOrganization, organization, role, passwordFile string
	billable                                                bool
}

func runUser(ctx context.Context, inv *invocation) error {
	var o userOptions
	inv.flags.StringVar(&o.name, "name", "", "the user's name")
	inv.flags.StringVar(&o.newOrganization, "new-org", "",
		"create an organization of this name with the user as admin")
	inv.flags.StringVar(&o.organization, "org", "",
		"the organization (org_…) of the user; promote without it makes the user an operator")
	inv.flags.StringVar(&o.role, "role", "",
		"role in --org: admin, billing_admin, member or a custom role's id (role_…);\n"+
			"default: member for create, admin for promote")
	inv.flags.StringVar(&o.passwordFile, "password-file", "-",
		"file with the password on one line; - is standard input")
	inv.flags.BoolVar(&o.billable, "billable", false, "the user takes a paid seat")
	inv.jsonFlag()
	args, err := inv.parse()
	if err != nil {
		return err
	}
	if err := o.validate(args); err != nil {
		return err
	}
	return withService(ctx, inv, func(service *billing.Service) error {
		apply := userActions[args[0]]
		user, err := apply(ctx, service, args[1], o)
		if err != nil {
			return err
		}
		return inv.print(user, fmt.Sprintf("%s (%s): %s\n", user.Email, user.ID, user.access()))
	})
}

func (o userOptions) validate(args []string) error {
	if len(args) != 2 || userActions[args[0]] == nil {
		return usageError("takes create EMAIL, promote EMAIL, end-sessions EMAIL, reset-2fa EMAIL or unlink EMAIL")
	}
	create := args[0] == "create"
	switch {
	case slices.Contains([]string{"reset-2fa", "end-sessions", "unlink"}, args[0]) && o != userOptions{passwordFile: o.passwordFile}:
		return usageError(args[0] + " takes no role, organization or name")
	case create && (o.newOrganization == "") == (o.organization == ""):
		return usageError("create takes either --new-org or --org")
	case !create && (o.newOrganization != "" || o.organization == "" && o.role != ""):
		return usageError("promote takes --org with --role, or neither")
	}
	return nil
}

// userActions has a function for each form of the command.
var userActions = map[string]func(context.Context, *billing.Service, string, userOptions) (userView, error){
	"create": createUser, "promote": promoteUser, "end-sessions": endUserSessions, "reset-2fa": resetSecondFactor, "unlink": unlinkIdentities,
}

// userView is a user in the output of --json.
type userView struct {
	ID             string `json:"id"`
	Email          string `json:"email"`
	OrganizationID string `json:"organizationId,omitempty"`
	RoleID         string `json:"roleId,omitempty"`
	Operator       bool   `json:"operator"`
	SessionsEnded  *int64 `json:"sessionsEnded,omitempty"`
	// SecondFactorReset reports that two-step verification was removed.
	SecondFactorReset bool `json:"secondFactorReset,omitempty"`
	// Unlinked reports that no identity signs the user in any more.
	Unlinked bool `json:"unlinked,omitempty"`
}

func (v userView) access() string {
	switch {
	case v.SessionsEnded != nil:
		return fmt.Sprintf("sessions ended: %d", *v.SessionsEnded)
	case v.SecondFactorReset:
		return "two-step verification is off"
	case v.Unlinked:
		return "no identity is linked; the next sign-in at the provider can link one"
	}
	if v.OrganizationID == "" {
		return "operator of this installation"
	}
	return v.RoleID + " of " + v.OrganizationID
}

func createUser(
	ctx context.Context, service *billing.Service, email string, o userOptions,
) (userView, error) {
	password, err := readPassword(o.passwordFile)
	if err != nil {
		return userView{}, err
	}
	if o.newOrganization != "" {
		user, organization, err := service.Users.CreateFounder(ctx, account.SignUp{
			Name: o.name, Email: email, Password: password, Organization: o.newOrganization,
		})
		return userView{
			ID: user.ID, Email: user.Email, OrganizationID: organization.ID, RoleID: account.RoleAdmin,
		}, publicMessage(err)
	}
	role := cmp.Or(o.role, account.RoleMember)
	user, err := service.Users.CreateMember(ctx, o.organization, account.NewMember{
		Name: o.name, Email: email, Password: password, RoleID: role, Billable: o.billable,
	})
	return userView{
		ID: user.ID, Email: user.Email, OrganizationID: o.organization, RoleID: role,
	}, publicMessage(err)
}

// readPassword reads the password from a file and not from a flag, which the shell's history and
// the process list would show.
func readPassword(file string) (string, error) {
	source := os.Stdin
	if file != "-" {
		opened, err := os.Open(file)
		if err != nil {
			return "", fmt.Errorf("read the password: %w", err)
		}
		defer opened.Close()
		source = opened
	}
	password, err := bufio.NewReader(source).ReadString('\n')
	if password = strings.TrimRight(password, "\r\n"); password == "" {
		return "", errors.New("the password is empty: write it on one line of standard input " +
			"or of --password-file")
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the password: %w", err)
	}
	return password, nil
}

// publicMessage reduces an error of the domain to the message that forms show.
func publicMessage(err error) error {
	var domainErr *apperr.Error
	if errors.As(err, &domainErr) && domainErr.Code != apperr.CodeInternal {
		return errors.New(domainErr.Message)
	}
	return err
}

func promoteUser(
	ctx context.Context, service *billing.Service, email string, o userOptions,
) (userView, error) {
	if o.organization == "" {
		user, err := service.Users.PromoteOperator(ctx, email)
		if errors.Is(err, apperr.ErrNotFound) {
			return userView{}, fmt.Errorf("no account with the address %s", email)
		}
		return userView{ID: user.ID, Email: user.Email, Operator: true}, err
	}
	role := cmp.Or(o.role, account.RoleAdmin)
	member, err := service.Users.PromoteMember(ctx, email, o.organization, role)
	if errors.Is(err, apperr.ErrNotFound) {
		return userView{}, fmt.Errorf("%s is not a member of %s, or that has no role %s",
			email, o.organization, role)
	}
	return userView{
		ID: member.UserID, Email: member.Email, OrganizationID: o.organization, RoleID: member.Role.ID,
	}, err
}

// endUserSessions ends all sessions of a user, on every replica at once.
func endUserSessions(
	ctx context.Context, service *billing.Service, email string, _ userOptions,
) (userView, error) {
	user, err := service.Users.ByEmail(ctx, email)
	if errors.Is(err, apperr.ErrNotFound) {
		return userView{}, fmt.Errorf("no account with the address %s", email)
	}
	if err != nil {
		return userView{}, err
	}
	ended, err := service.Users.EndSessions(ctx, user.ID)
	return userView{
		ID: user.ID, Email: user.Email, Operator: service.Users.IsOperator(user), SessionsEnded: &ended,
	}, err
}

// resetSecondFactor removes the second factor of somebody who lost it. They are notified by e-mail.
func resetSecondFactor(
	ctx context.Context, service *billing.Service, email string, _ userOptions,
) (userView, error) {
	user, err := service.SecondFactors.Reset(ctx, email)
	if errors.Is(err, apperr.ErrNotFound) {
		return userView{}, fmt.Errorf("no account with the address %s", email)
	}
	return userView{ID: user.ID, Email: user.Email, Operator: user.Operator, SecondFactorReset: true}, publicMessage(err)
}

// unlinkIdentities removes the identities of somebody who got another one at the provider.
func unlinkIdentities(
	ctx context.Context, service *billing.Service, email string, _ userOptions,
) (userView, error) {
	user, err := service.Identities.UnlinkAll(ctx, email)
	if errors.Is(err, apperr.ErrNotFound) {
		return userView{}, fmt.Errorf("no account with the address %s", email)
	}
	return userView{ID: user.ID, Email: user.Email, Operator: user.Operator, Unlinked: true}, publicMessage(err)
}
