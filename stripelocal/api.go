package stripelocal

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"usher/stripelocal/pages"
	"usher/stripelocal/wire"
)

// maxBodyBytes limits the size of a request's form.
const maxBodyBytes = 1 << 20

// input is the decoded and checked parameters of one API call.
type input struct {
	wire.Params
	req     *http.Request
	url     string // the URL's path, for list objects
	upload  []byte // the contents of an uploaded file
	version string // of the call; handlers see the shapes of APIVersion whatever it is
}

func (in *input) pathValue(name string) string { return in.req.PathValue(name) }

// apiResponse is the response to an API call. It may be stored under an idempotency key.
type apiResponse struct {
	status          int
	body            []byte
	contentType     string // empty is JSON
	version         string // of the body
	date            int64  // the account's time, for the Date header
	replayed        bool
	originalRequest string // id of the request whose response is replayed
	drop            bool   // by a fault: close the connection without a response
	notStored       bool   // by a fault: do not store it under the idempotency key
	locked          bool   // another call has a lock of the object
}

// apiCall is an API request while serveAPI handles it.
type apiCall struct {
	*Server
	route   route
	schema  *wire.Schema
	req     *http.Request
	upload  []byte // the contents of an uploaded file
	version string // of the parameters and the response
	info    requestInfo
}

// apiTables are what all servers share and none changes.
type apiTables struct {
	renderers map[string]renderFunc // by object type
	routes    map[string]boundRoute // by pattern
	steps     []versionStep         // from APIVersion to the newest version
	templates *pages.Set
}

// loadTables parses the schemas of the parameters and the templates, which takes as long as the
// rest of a server's start.
var loadTables = sync.OnceValues(func() (apiTables, error) {
	t := apiTables{renderers: map[string]renderFunc{}, routes: map[string]boundRoute{}, steps: versionSteps()}
	for _, r := range resources() {
		t.renderers[r.objectType] = r.render
		for _, rt := range r.routes {
			sh, err := wire.ParseSchema(rt.params + " expand[]")
			if err != nil {
				return t, fmt.Errorf("%s: %w", rt.pattern, err)
			}
			t.routes[rt.pattern] = boundRoute{rt, sh}
		}
	}
	var err error
	if t.templates, err = pages.New(); err != nil {
		return t, fmt.Errorf("hosted pages: %w", err)
	}
	return t, nil
})

func (s *Server) mount() (err error) {
	if s.apiTables, err = loadTables(); err != nil {
		return err
	}
	mux := http.NewServeMux()
	for pattern, bound := range s.routes {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, req *http.Request) {
			s.serveAPI(w, apiCall{Server: s, route: bound.route, schema: bound.schema, req: req})
		})
	}
	mux.HandleFunc("/v1/", s.serveUnknownPath)
	mux.HandleFunc("/v2/", s.serveUnknownPath)
	mux.HandleFunc("GET "+cliSubscribePath+"{account}", func(w http.ResponseWriter, req *http.Request) { s.cli.subscribe(w, req) })
	hostedPages{s}.mount(mux)
	control{s}.mount(mux)
	s.handler = guardPages(mux)
	return nil
}

// serveAPI handles an API call: authentication, faults, parameters, idempotency, handler, response.
func (s *Server) serveAPI(w http.ResponseWriter, c apiCall) {
	c.info = s.newRequestInfo(c.req)
	if err := c.authenticate(); err != nil {
		c.write(w, c.fail(err))
		return
	}
	if !c.hasRoute(c.route.pattern, c.version) {
		c.write(w, c.fail(unknownURL(c.req)))
		return
	}
	if err := c.preflightFault(); err != nil {
		c.write(w, c.fail(err))
		return
	}
	form, raw, err := c.decode()
	if err != nil {
		c.write(w, c.fail(err))
		return
	}
	in := &input{Params: wire.NewParams(form), req: c.req, url: c.req.URL.Path, upload: c.upload, version: c.version}
	if c.req.Method != http.MethodPost || c.info.IdempotencyKey == "" {
		c.write(w, c.executeWithFaults(in))
		return
	}
	c.write(w, c.executeOnce(raw, func() apiResponse { return c.executeWithFaults(in) }))
}

func (s *Server) newRequestInfo(req *http.Request) requestInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	info := requestInfo{RequestID: s.ids.shortID("req_")}
	if req.Method == http.MethodPost {
		info.IdempotencyKey = req.Header.Get("Idempotency-Key")
	}
	return info
}

// apiKey is the key of a request, sent as a bearer token or as a user name.
func apiKey(req *http.Request) string {
	key, _, basic := req.BasicAuth()
	if !basic {
		key, _ = strings.CutPrefix(req.Header.Get("Authorization"), "Bearer ")
	}
	return key
}

// authenticate checks the key and sets the version of the call.
func (c *apiCall) authenticate() *wire.Error {
	c.version = APIVersion
	if err := c.checkKey(apiKey(c.req)); err != nil {
		return err
	}
	if err := checkPublishable(apiKey(c.req), c.route.pattern); err != nil {
		return err
	}
	if account := c.req.Header.Get("Stripe-Account"); account != "" {
		return noConnectedAccount(apiKey(c.req), account)
	}
	version, err := c.responseVersion(c.req.Header.Get("Stripe-Version"))
	if err == nil {
		c.version = version
	}
	if c.hasMobileVersion() {
		return nil
	}
	return err
}

func (c *apiCall) checkKey(key string) *wire.Error {
	if isEphemeralKey(key) {
		return c.checkEphemeralKey(key)
	}
	return checkAPIKey(key)
}

func checkAPIKey(key string) *wire.Error {
	switch {
	case key == "":
		return wire.Unauthorized("You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). See https://stripe.com/docs/api#authentication for details, or we can help at https://support.stripe.com/.")
	// A restricted key may do everything here.
	case !strings.HasPrefix(key, "sk_test_") && !strings.HasPrefix(key, "rk_test_") && !isPublishable(key) || len(key) < 12:
		return wire.Unauthorized("Invalid API Key provided: " + maskAPIKey(key))
	}
	return nil
}

// maskAPIKey shows a key's prefix and its last four characters, as Stripe does.
func maskAPIKey(key string) string {
	const shown = 8
	if len(key) <= shown+4 {
		return strings.Repeat("*", len(key))
	}
	return key[:shown] + strings.Repeat("*", len(key)-shown-4) + key[len(key)-4:]
}

// decode reads the parameters of the query and the body. It also returns their text, which an
// idempotency key is bound to.
func (c *apiCall) decode() (*wire.Value, string, *wire.Error) {
	if c.route.pattern == "POST /v1/files" {
		return c.decodeUpload()
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, c.req.Body, maxBodyBytes))
	if err != nil {
		return nil, "", wire.Invalid("", "", "Invalid request: the body could not be read.")
	}
	if kind := c.req.Header.Get("Content-Type"); len(body) > 0 && !strings.HasPrefix(kind, "application/x-www-form-urlencoded") {
		return nil, "", wire.Invalid("", "", "Invalid request (check that your POST content type is application/x-www-form-urlencoded). If you have any questions, we can help at https://support.stripe.com/.")
	}
	raw := strings.Trim(c.req.URL.RawQuery+"&"+string(body), "&")
	form, bad := wire.DecodeForm(raw)
	if bad != nil {
		return nil, "", bad
	}
	if bad := c.toOwnParams(form); bad != nil {
		return nil, "", bad
	}
	return form, raw, c.schema.Check(form)
}

// execute runs the handler in a transaction and renders the result or the error under the same
// lock, so that the response shows a single state.
func (c apiCall) execute(in *input) apiResponse {
	var out apiResponse
	_ = c.transact(c.info, func(r *request) error {
		r.changed = c.req.Method != http.MethodGet
		err := r.ephemeralKeys.checkScope(c, in)
		if err == nil {
			err = r.checkFilters(c, in)
		}
		var result any
		if err == nil {
			result, err = c.route.do(r, in)
		}
		out = r.translatorTo(c.version).respond(result, err, in)
		out.version = c.version
		return nil
	})
	return out
}

// respond translates the result or the error, and expands the result by the paths of the version.
func (t translator) respond(result any, err error, in *input) apiResponse {
	if err == nil {
		err = t.expand(t.value(result), in)
	}
	if err != nil {
		refusal := wire.AsError(err)
		refusal.Param = in.SentName(refusal.Param)
		return apiResponse{status: refusal.Status, body: wire.Encode(in.visible(t.value(t.renderError(refusal)))), date: t.now}
	}
	if d, ok := result.(document); ok {
		return apiResponse{status: http.StatusOK, body: d.body, contentType: d.contentType, date: t.now}
	}
	return apiResponse{status: http.StatusOK, body: wire.Encode(in.visible(result)), date: t.now}
}

func (t translator) expand(result any, in *input) error {
	o, ok := result.(wire.Object)
	if !ok {
		return nil
	}
	// A nil *wire.Error must not become a non-nil error.
	if err := wire.Expand(o, in.Strings("expand"), t.resolve); err != nil {
		return err
	}
	return nil
}

func (c apiCall) fail(e *wire.Error) apiResponse {
	var out apiResponse
	_ = c.transact(c.info, func(r *request) error {
		out = apiResponse{status: e.Status, body: wire.Encode(r.renderError(e)), date: r.now, version: c.version, locked: e.Code == codeLockTimeout}
		return nil
	})
	return out
}

func (s *Server) serveUnknownPath(w http.ResponseWriter, req *http.Request) {
	c := apiCall{Server: s, req: req, info: s.newRequestInfo(req)}
	err := c.authenticate()
	if err == nil {
		err = unknownURL(req)
	}
	c.write(w, c.fail(err))
}

// unknownURL is the error for a path that is no operation. A trailing slash often is an empty id
// (recorded by pay-rails/pay).
func unknownURL(req *http.Request) *wire.Error {
	hint := "Please see https://stripe.com/docs or we can help at https://support.stripe.com/."
	if strings.HasSuffix(req.URL.Path, "/") {
		hint = "If you are trying to list objects, remove the trailing slash. If you are trying to retrieve an object, make sure you passed a valid (non-empty) identifier in your code. " + hint
	}
	if strings.HasPrefix(req.URL.Path, "/v2/") {
		hint = "This local Stripe has the API under /v1/ and not the one under /v2/."
	}
	return &wire.Error{
		Status: http.StatusNotFound, Type: "invalid_request_error",
		Message: fmt.Sprintf("Unrecognized request URL (%s: %s). %s", req.Method, req.URL.Path, hint),
	}
}

// noConnectedAccount refuses the header Stripe-Account, as Stripe refuses an account without
// access.
func noConnectedAccount(key, account string) *wire.Error {
	return &wire.Error{Status: http.StatusForbidden, Type: "invalid_request_error", Code: "account_invalid", Message: fmt.Sprintf("The provided key '%s' does not have access to account '%s' (or that account does not exist). This local Stripe has no connected accounts: leave out the header Stripe-Account, or use a key sk_test_acct_NAME_… for an account of its own.", maskAPIKey(key), account)}
}

func (c apiCall) write(w http.ResponseWriter, a apiResponse) {
	if a.drop {
		dropConnection(w)
		return
	}
	h := w.Header()
	h.Set("Content-Type", cmp.Or(a.contentType, "application/json"))
	h.Set("Date", time.Unix(a.date, 0).UTC().Format(http.TimeFormat))
	h.Set("Request-Id", c.info.RequestID)
	h.Set("Stripe-Version", a.version)
	if c.info.IdempotencyKey != "" {
		h.Set("Idempotency-Key", c.info.IdempotencyKey)
	}
	if a.originalRequest != "" {
		h.Set("Original-Request", a.originalRequest)
	}
	if a.replayed {
		h.Set("Idempotent-Replayed", "true")
	}
	if a.status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="Stripe"`)
	}
	a.setRetryHeaders(h, c.info.IdempotencyKey)
	c.logCall(c.req, c.info.RequestID, a)
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body)
}
