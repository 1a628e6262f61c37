package stripelocal

import (
	"fmt"
	"net/http"
	"net/url"

	"usher/stripelocal/wire"
)

// boundRoute is a route with its parsed parameter schema.
type boundRoute struct {
	route
	schema *wire.Schema
}

// callAPI makes an API call from a hosted page, within the page's transaction and with all checks
// of the API, as Stripe's own pages do. id is the value of the path's {id}.
func (r *request) callAPI(pattern, id string, form url.Values) (wire.Object, error) {
	target, ok := r.routes[pattern]
	if !ok {
		return nil, fmt.Errorf("%s is no call of this server", pattern)
	}
	n, bad := wire.DecodeForm(form.Encode())
	if bad == nil {
		bad = target.schema.Check(n)
	}
	if bad != nil {
		return nil, bad
	}
	req := &http.Request{Method: http.MethodPost, URL: &url.URL{Path: pattern}, Header: http.Header{}}
	req.SetPathValue("id", id)
	result, err := target.do(r, &input{Params: wire.NewParams(n), req: req, url: pattern, version: APIVersion})
	if err != nil {
		return nil, err
	}
	o, _ := result.(wire.Object)
	return o, nil
}
