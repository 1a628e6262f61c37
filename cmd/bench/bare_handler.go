package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"

	"usher/billing"
	"usher/billing/catalog"
	"usher/db"
	mailviews "usher/views/mail"
)

// bareHandlerEnv is the environment variable that holds a [bareHandlerConfig].
const bareHandlerEnv = "USHER_BENCH_BARE_HANDLER"

type bareHandlerConfig struct {
	Addr, DSN, Stripe string
	Visitor           visitor
	Page              []byte
}

// bareHandler is a process that runs the billing tab's queries and responds with a stored page. It
// has no routes, middleware and templates.
type bareHandler struct {
	target
	command *exec.Cmd
}

func (e *environment) startBareHandler(ctx context.Context, v visitor, page []byte) (*bareHandler, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	config, err := json.Marshal(bareHandlerConfig{Addr: address, DSN: e.server.DSN(), Stripe: e.stripeOrigin, Visitor: v, Page: page})
	if err != nil {
		return nil, err
	}
	command := exec.CommandContext(ctx, os.Args[0])
	command.Env, command.Stderr = append(os.Environ(), bareHandlerEnv+"="+string(config)), os.Stderr
	if err := command.Start(); err != nil {
		return nil, err
	}
	b := &bareHandler{target{"http://" + address, command.Process.Pid}, command}
	if err := awaitResponse(b.site, http.StatusOK); err != nil {
		b.stop()
		return nil, err
	}
	return b, nil
}

func (b *bareHandler) stop() {
	_ = b.command.Process.Kill()
	_ = b.command.Wait()
}

// runBareHandler is the process.
func runBareHandler(encoded string) error {
	var config bareHandlerConfig
	if err := json.Unmarshal([]byte(encoded), &config); err != nil {
		return err
	}
	store, err := db.Open(context.Background(), config.DSN)
	if err != nil {
		return err
	}
	service := billing.New(billing.Options{
		Store: store, Catalog: catalog.BuiltInPlans(), Renderer: mailviews.Renderer{}, KeyFingerprint: "bench",
		Gateway: newGateway(config.Stripe),
	})
	if err := service.Prices.Start(context.Background()); err != nil {
		return err
	}
	sessions := db.NewSessionStore(store.DB())
	return http.ListenAndServe(config.Addr, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := runQueries(r.Context(), service, sessions, config.Visitor); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(config.Page)
	}))
}

// runQueries runs the queries of the billing tab.
func runQueries(ctx context.Context, service *billing.Service, sessions *db.SessionStore, v visitor) error {
	if _, _, err := sessions.FindCtx(ctx, v.Token); err != nil {
		return err
	}
	access, err := service.Organizations.Access(ctx, v.UserID, v.OrganizationID)
	if err != nil {
		return err
	}
	_, overview := service.Overviews.Get(ctx, access)
	_, invoices := service.Invoices.List(ctx, access)
	_, duplicates := service.Duplicates.List(ctx, access)
	return errors.Join(overview, invoices, duplicates)
}
