package stripelocal

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"

	"usher/stripelocal/wire"
)

// logFilter selects the calls that stripe logs tail shows (source: stripe/stripe-cli,
// pkg/logtailing/tailer.go). A call must match one value of each field that has any.
type logFilter struct {
	Account        []string `json:"filter_account"` // has no effect: there are no connected accounts
	IPAddress      []string `json:"filter_ip_address"`
	HTTPMethod     []string `json:"filter_http_method"`
	RequestPath    []string `json:"filter_request_path"`
	RequestStatus  []string `json:"filter_request_status"` // SUCCEEDED, FAILED
	Source         []string `json:"filter_source"`         // API; DASHBOARD has no calls here
	StatusCode     []string `json:"filter_status_code"`
	StatusCodeType []string `json:"filter_status_code_type"` // the first of a hundred, such as 400
}

func parseLogFilter(text string) (logFilter, error) {
	var f logFilter
	if text == "" {
		return f, nil
	}
	if err := json.Unmarshal([]byte(text), &f); err != nil {
		return f, wire.Invalid("", "filters", "Invalid filters: they must be a JSON object of lists of strings.")
	}
	return f, nil
}

// namesAccounts reports whether the tool has to warn that its filter is not applied.
func (f logFilter) namesAccounts() bool { return len(f.Account) > 0 }

// requestLog is what stripe logs tail shows of a call.
type requestLog struct {
	CreatedAt int64           `json:"created_at"`
	Livemode  bool            `json:"livemode"`
	Method    string          `json:"method"`
	RequestID string          `json:"request_id"`
	Status    int             `json:"status"`
	URL       string          `json:"url"`
	Error     requestLogError `json:"error"`

	address string
}

type requestLogError struct {
	Type        string `json:"type,omitempty"`
	Charge      string `json:"charge,omitempty"`
	Code        string `json:"code,omitempty"`
	DeclineCode string `json:"decline_code,omitempty"`
	Message     string `json:"message,omitempty"`
	Param       string `json:"param,omitempty"`
}

func (f logFilter) matches(l requestLog) bool {
	outcome := "FAILED"
	if l.Status/100 == 2 {
		outcome = "SUCCEEDED"
	}
	return matchesAny(f.IPAddress, l.address) && matchesAny(f.HTTPMethod, l.Method) && matchesAny(f.RequestPath, l.URL) &&
		matchesAny(f.RequestStatus, outcome) && matchesAny(f.Source, "API") &&
		matchesAny(f.StatusCode, strconv.Itoa(l.Status)) && matchesAny(f.StatusCodeType, fmt.Sprint(l.Status/100*100))
}

func matchesAny(values []string, value string) bool {
	return len(values) == 0 || slices.Contains(values, value)
}

// logCall queues a call for every session that shows it.
func (s *Server) logCall(req *http.Request, requestID string, a apiResponse) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.cli.tailsLogs() {
		return
	}
	l := requestLog{CreatedAt: a.date, Method: req.Method, RequestID: requestID, Status: a.status, URL: req.URL.Path}
	l.address, _, _ = net.SplitHostPort(req.RemoteAddr)
	if a.status/100 != 2 {
		l.Error = errorOf(a.body)
	}
	for _, session := range s.cli.sessions {
		if session.feature == cliRequestLogs && session.filter.matches(l) {
			s.cli.enqueue(session, logMessage(s.ids.longID("resp_1"), mustJSON(l)))
		}
	}
}

func (h *cliHub) tailsLogs() bool {
	for _, s := range h.sessions {
		if s.feature == cliRequestLogs {
			return true
		}
	}
	return false
}

// errorOf reads the error of a response.
func errorOf(body []byte) requestLogError {
	var response struct {
		Error requestLogError `json:"error"`
	}
	_ = json.Unmarshal(body, &response) // a body of another form has no error to show
	return response.Error
}
