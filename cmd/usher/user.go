package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"usher/billing"
)

// userOptions are the flags of `usher user`.
type userOptions struct {
	name, organization, role, passwordFile string
	billable, asJSON                       bool
}

func userCommand() command {
	return command{
		name: "user", summary: "create a user, or give one more rights",
		usage: "create EMAIL --name NAME (--new-org NAME | --org ID [--role ROLE] [--billable]) [--password-file FILE] | promote EMAIL [--org ID [--role ROLE]]",
		prepare: func(set *flag.FlagSet) func(context.Context, program, []string) error {
			var o userOptions
			var founded string
			set.StringVar(&o.name, "name", "", "the person's name")
			set.StringVar(&founded, "new-org", "", "found an organization of this name, whose admin they are")
			set.StringVar(&o.organization, "org", "", "the organization (org_…) they are, or become, a member of; promote without it makes an operator")
			set.StringVar(&o.role, "role", "", "their role there: admin, billing_admin, member, or the id of a role of the organization's own (role_…); create: member, promote: admin")
			set.StringVar(&o.passwordFile, "password-file", "-", "where the password stands, in one line; - is the standard input")
			set.BoolVar(&o.billable, "billable", false, "they take a paid seat")
			set.BoolVar(&o.asJSON, "json", false, "print JSON")
			return func(ctx context.Context, p program, args []string) error {
				return user(ctx, p, args, o, founded)
			}
		},
	}
}

func user(ctx context.Context, p program, args []string, o userOptions, founded string) (err error) {
	if len(args) != 2 || args[0] != "create" && args[0] != "promote" {
		return usageError{"takes create EMAIL or promote EMAIL"}
	}
	creates := args[0] == "create"
	switch {
	case creates && (founded == "") == (o.organization == ""):
		return usageError{"create takes either --new-org or --org"}
	case !creates && (founded != "" || o.organization == "" && o.role != ""):
		return usageError{"promote takes --org with --role, or neither"}
	}
	started := &parts{}
	defer func() { err = errors.Join(err, started.stop()) }()
	service, err := openTools(ctx, p, started)
	if err != nil {
		return err
	}
	var view userView
	if creates {
		view, err = createUser(ctx, service, args[1], o, founded)
	} else {
		view, err = promoteUser(ctx, service, args[1], o)
	}
	if err != nil {
		return err
	}
	if o.asJSON {
		return json.NewEncoder(p.stdout).Encode(view)
	}
	_, err = fmt.Fprintf(p.stdout, "%s (%s): %s\n", view.Email, view.ID, view.what())
	return err
}

// userView is a user as --json prints it.
type userView struct {
	ID             string `json:"id"`
	Email          string `json:"email"`
	OrganizationID string `json:"organizationId,omitempty"`
	RoleID         string `json:"roleId,omitempty"`
	Operator       bool   `json:"operator"`
}

func (v userView) what() string {
	if v.OrganizationID == "" {
		return "operator of this installation"
	}
	return v.RoleID + " of " + v.OrganizationID
}

func createUser(ctx context.Context, service *billing.Service, email string, o userOptions, founded string) (userView, error) {
	password, err := readPassword(o.passwordFile)
	if err != nil {
		return userView{}, err
	}
	if founded != "" {
		user, organization, err := service.SignUp(ctx, billing.SignUp{Name: o.name, Email: email, Password: password, Organization: founded})
		return userView{ID: user.ID, Email: user.Email, OrganizationID: organization.ID, RoleID: billing.RoleAdmin}, inWords(err)
	}
	if o.role == "" {
		o.role = billing.RoleMember
	}
	user, err := service.CreateMember(ctx, o.organization, billing.NewMember{
		Name: o.name, Email: email, Password: password, RoleID: o.role, Billable: o.billable,
	})
	return userView{ID: user.ID, Email: user.Email, OrganizationID: o.organization, RoleID: o.role}, inWords(err)
}

// readPassword takes no flag: that would stand in the shell's history and in the list of processes.
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
		return "", errors.New("the password is empty: give it as one line on the standard input, or in the file of --password-file")
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the password: %w", err)
	}
	return password, nil
}

// inWords turns what people are told about a form into what stands in a terminal.
func inWords(err error) error {
	var told *billing.Error
	if errors.As(err, &told) && told.Code != billing.CodeInternal {
		return errors.New(told.Message)
	}
	return err
}

func promoteUser(ctx context.Context, service *billing.Service, email string, o userOptions) (userView, error) {
	if o.organization == "" {
		user, err := service.PromoteOperator(ctx, email)
		if errors.Is(err, billing.ErrNotFound) {
			return userView{}, fmt.Errorf("nobody has an account with the address %s", email)
		}
		return userView{ID: user.ID, Email: user.Email, Operator: true}, err
	}
	if o.role == "" {
		o.role = billing.RoleAdmin
	}
	member, err := service.PromoteMember(ctx, email, o.organization, o.role)
	if errors.Is(err, billing.ErrNotFound) {
		return userView{}, fmt.Errorf("%s is no member of %s, or it has no role %s", email, o.organization, o.role)
	}
	return userView{ID: member.UserID, Email: member.Email, OrganizationID: o.organization, RoleID: member.Role.ID}, err
}
