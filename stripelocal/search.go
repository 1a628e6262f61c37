package stripelocal

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"usher/stripelocal/wire"
)

// searchParams are the parameters of every search.
const searchParams = "query! limit:int page "

func searchResource() resource {
	return resource{objectType: "search", routes: []route{
		on("GET /v1/customers/search", searchParams, customers.search),
		on("GET /v1/subscriptions/search", searchParams, subscriptions.search),
		on("GET /v1/products/search", searchParams, products.search),
		on("GET /v1/prices/search", searchParams, prices.search),
		on("GET /v1/charges/search", searchParams, charges.search),
		on("GET /v1/invoices/search", searchParams, invoices.search),
		on("GET /v1/payment_intents/search", searchParams, paymentIntents.search),
	}}
}

func (h customers) search(in *input) (any, error) {
	return search[*Customer]{h.store.Customers, words("email name phone"), h.render}.page(in)
}

func (h subscriptions) search(in *input) (any, error) {
	return search[*Subscription]{h.store.Subscriptions, words("canceled_at status"), h.render}.page(in)
}

func (h products) search(in *input) (any, error) {
	return search[*Product]{h.store.Products, words("active description name url"), h.render}.page(in)
}

func (h prices) search(in *input) (any, error) {
	return search[*Price]{h.store.Prices, words("active currency lookup_key product type"), h.render}.page(in)
}

func (h charges) search(in *input) (any, error) {
	return search[*Charge]{h.store.Charges, words("amount currency customer disputed refunded status"), h.render}.page(in)
}

func (h invoices) search(in *input) (any, error) {
	return search[*Invoice]{h.store.Invoices, words("currency customer number status subscription total"), h.render}.page(in)
}

func (h paymentIntents) search(in *input) (any, error) {
	return search[*PaymentIntent]{h.store.PaymentIntents, words("amount currency customer status"), h.render}.page(in)
}

// isNumeric reports whether a field is compared as a number (docs: search, query fields).
func isNumeric(field string) bool {
	return slices.Contains([]string{"amount", "canceled_at", "created", "total"}, field)
}

func words(line string) []string { return strings.Fields(line) }

// search is one search call. It finds changes immediately; Stripe's index can be a minute behind.
type search[T row] struct {
	table  *table[T]
	fields []string // searchable fields besides created and metadata
	render func(T) wire.Object
}

func (s search[T]) page(in *input) (any, error) {
	q, err := parseQuery(in.String("query"), s.fields)
	if err != nil {
		return nil, err
	}
	limit := in.IntOr("limit", 10)
	if err := checkLimit(limit); err != nil {
		return nil, err
	}
	start, err := s.from(in)
	if err != nil {
		return nil, err
	}
	data, next := []any{}, any(nil)
	for i := start; i >= 0; i-- {
		o := s.render(s.table.all[i])
		if o["deleted"] != nil || !q.matches(o) {
			continue
		}
		if int64(len(data)) == limit {
			next = s.table.all[i+1].base().ID
			break
		}
		data = append(data, o)
	}
	return wire.Object{"object": "search_result", "data": data, "has_more": next != nil, "next_page": next, "url": in.url}, nil
}

// from is the position where a page starts. The page cursor is the id of the last row of the
// previous page.
func (s search[T]) from(in *input) (int, error) {
	if !in.Has("page") {
		return len(s.table.all) - 1, nil
	}
	r, ok := s.table.get(in.String("page"))
	if !ok {
		return 0, wire.Invalid("", "page", "Invalid page: it must be the next_page of a search before.")
	}
	return position(s.table.all, r.base().Seq) - 1, nil
}

// searchQuery is a parsed query (syntax inferred): clauses joined by AND, or by OR if any is set.
type searchQuery struct {
	any     bool
	clauses []clause
}

type clause struct {
	negated  bool
	field    string
	key      string // metadata key
	operator string
	value    string
	null     bool
}

var clausePattern = regexp.MustCompile(`^\s*(-?)([a-z_]+)(?:\[(?:"([^"]*)"|'([^']*)')\])?\s*(:|~|>=|<=|>|<)\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s"']+)\s*(AND|OR|and|or)?`)

func parseQuery(text string, fields []string) (searchQuery, error) {
	q, rest, joined := searchQuery{}, text, ""
	for first := true; first || joined != ""; first = false {
		m := clausePattern.FindStringSubmatch(rest)
		if m == nil {
			return q, queryError("We were unable to parse your search query. Try using the format `metadata[\"key\"]:\"value\"` to query for metadata or key:\"value\" to query for other fields.")
		}
		c := clause{negated: m[1] == "-", field: m[2], key: m[3] + m[4], operator: m[5], value: m[6]}
		c.unquote()
		if err := c.check(fields); err != nil {
			return q, err
		}
		next := strings.ToUpper(m[7])
		if joined != "" && next != "" && next != joined {
			return q, queryError("You can not combine AND and OR in one search query.")
		}
		q.any = q.any || next == "OR"
		q.clauses = append(q.clauses, c)
		rest, joined = rest[len(m[0]):], next
	}
	switch {
	case strings.TrimSpace(rest) != "":
		return q, queryError("We were unable to parse your search query after: " + rest)
	case len(q.clauses) > 10:
		return q, queryError("A search query can have at most 10 clauses.")
	}
	return q, nil
}

func queryError(message string) *wire.Error { return wire.Invalid("", "query", message) }

func (c *clause) unquote() {
	if quote := c.value[0]; quote != '"' && quote != '\'' {
		c.null = c.value == "null"
		return
	}
	c.value = regexp.MustCompile(`\\(.)`).ReplaceAllString(c.value[1:len(c.value)-1], "$1")
}

func (c *clause) check(fields []string) error {
	numeric := isNumeric(c.field)
	switch {
	case c.field != "metadata" && c.key != "", c.field == "metadata" && c.key == "" && !c.null:
		return queryError("Metadata is queried as `metadata[\"key\"]:\"value\"`.")
	case c.field != "metadata" && c.field != "created" && !slices.Contains(fields, c.field):
		return queryError(fmt.Sprintf("Field `%s` is an unsupported search field for this resource.", c.field))
	case strings.ContainsAny(c.operator, "<>") && !numeric:
		return queryError(fmt.Sprintf("Field `%s` does not support the operator `%s`.", c.field, c.operator))
	case c.operator == "~" && (numeric || len(c.value) < 3):
		return queryError("Substring matches need a text of at least 3 characters.")
	}
	if _, err := strconv.ParseInt(c.value, 10, 64); numeric && !c.null && err != nil {
		return queryError("Field `" + c.field + "` takes a number.")
	}
	return nil
}

func (q searchQuery) matches(o wire.Object) bool {
	for _, c := range q.clauses {
		if c.matches(o) == q.any {
			return q.any
		}
	}
	return !q.any
}

func (c clause) matches(o wire.Object) bool { return c.holds(o) != c.negated }

func (c clause) holds(o wire.Object) bool {
	if isNumeric(c.field) {
		n, exists := o[c.field].(int64)
		return exists != c.null && (c.null || c.compare(n))
	}
	text, exists := c.read(o)
	switch {
	case c.null:
		return !exists
	case c.operator == "~":
		return exists && strings.Contains(strings.ToLower(text), strings.ToLower(c.value))
	}
	return exists && strings.EqualFold(text, c.value)
}

func (c clause) compare(n int64) bool {
	want, _ := strconv.ParseInt(c.value, 10, 64) // validated by check
	switch c.operator {
	case ">":
		return n > want
	case ">=":
		return n >= want
	case "<":
		return n < want
	case "<=":
		return n <= want
	}
	return n == want
}

// read returns a rendered field as text.
func (c clause) read(o wire.Object) (string, bool) {
	if c.field == "metadata" {
		m, _ := o["metadata"].(map[string]string)
		v, ok := m[c.key]
		return v, ok || c.key == "" && len(m) > 0
	}
	switch v := o[c.field].(type) {
	case string:
		return v, v != ""
	case bool:
		return strconv.FormatBool(v), true
	case wire.Reference:
		return v.ID, v.ID != ""
	}
	return "", false
}
