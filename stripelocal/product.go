package stripelocal

import "regexp"

// Product is what is sold.
type Product struct {
	Base
	Active       bool
	Deleted      bool
	DefaultPrice string
	Description  string
	Images       []string
	Features     []string
	Metadata     map[string]string
	Name         string
	Statement    string
	TaxCode      string
	UnitLabel    string
	Updated      int64
	URL          string
}

const productParams = "active:bool description images[] marketing_features[]{name!} metadata:map statement_descriptor:22 tax_code unit_label:12 url "

// products serves /v1/products.
type products struct{ *request }

func productResource() resource {
	return resource{
		kind: "product",
		render: finder(func(s *state) *table[*Product] { return s.Products },
			bind(products.render)),
		routes: []route{
			on("POST /v1/products", productParams+"id name! default_price_data{currency! unit_amount:int unit_amount_decimal:decimal recurring{interval:day|week|month|year! interval_count:int} tax_behavior:exclusive|inclusive|unspecified}", products.create),
			on("GET /v1/products", listParams+"active:bool ids[] url", products.list),
			on("GET /v1/products/{id}", "", products.get),
			on("POST /v1/products/{id}", "active:bool description? images[]? marketing_features[]{name!}? metadata:map? statement_descriptor:22? tax_code? unit_label:12? url? name default_price?", products.update),
			on("DELETE /v1/products/{id}", "", products.delete),
		},
	}
}

func (h products) create(in *input) (any, error) {
	id := in.strOr("id", h.ids.short("prod_"))
	if err := h.checkID(in.params); err != nil {
		return nil, err
	}
	if err := checkPriceAmount(in.at("default_price_data")); in.has("default_price_data") && err != nil {
		return nil, err
	}
	p := h.insert(id, in.params)
	if in.has("default_price_data") {
		p.DefaultPrice = h.prices.insert(p.ID, in.at("default_price_data"), true).ID
	}
	return h.render(p), nil
}

// checkID refuses an id of one's own that is taken, by a deleted product too.
func (h products) checkID(p params) error {
	id := p.str("id")
	if _, taken := h.state.Products.get(id); taken {
		return invalid("resource_already_exists", p.name("id"), "Product already exists.")
	}
	if p.has("id") && !productID.MatchString(id) {
		return invalid("", p.name("id"), "Invalid product id: only letters, digits, `-` and `_`.")
	}
	return nil
}

var productID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,255}$`)

func (h products) insert(id string, from params) *Product {
	p := &Product{Base: Base{ID: id, Created: h.now}, Active: true, Updated: h.now, Metadata: from.metadata()}
	p.take(from)
	h.state.Products.insert(p)
	h.emit("product.created", h.render(p))
	return p
}

func (p *Product) take(from params) {
	from.setFlag("active", &p.Active)
	from.setStr("name", &p.Name)
	from.setStr("description", &p.Description)
	from.setStr("default_price", &p.DefaultPrice)
	from.setStr("statement_descriptor", &p.Statement)
	from.setStr("tax_code", &p.TaxCode)
	from.setStr("unit_label", &p.UnitLabel)
	from.setStr("url", &p.URL)
	from.setMetadata(&p.Metadata)
	if from.has("images") {
		p.Images = from.strs("images")
	}
	if from.has("marketing_features") {
		p.Features = nil
		for _, f := range from.list("marketing_features") {
			p.Features = append(p.Features, f.str("name"))
		}
	}
}

func (h products) find(in *input) (*Product, error) {
	p, ok := h.state.Products.get(in.path("id"))
	if !ok || p.Deleted {
		return nil, notFound("product", in.path("id"), "id")
	}
	return p, nil
}

func (h products) get(in *input) (any, error) {
	p, err := h.find(in)
	if err != nil {
		return nil, err
	}
	return h.render(p), nil
}

func (h products) update(in *input) (any, error) {
	p, err := h.find(in)
	if err != nil {
		return nil, err
	}
	if id := in.str("default_price"); id != "" {
		if price, ok := h.state.Prices.get(id); !ok || price.Product != p.ID {
			return nil, noSuch("price", id, "default_price")
		}
	}
	before := h.render(p)
	p.take(in.params)
	p.Updated = h.now
	h.emitUpdate("product.updated", before, h.render(p))
	return h.render(p), nil
}

func (h products) delete(in *input) (any, error) {
	p, err := h.find(in)
	if err != nil {
		return nil, err
	}
	if len(h.state.Prices.by("product", p.ID)) > 0 {
		return nil, invalid("", "", "This product cannot be deleted because it has one or more user-created prices.")
	}
	whole := h.render(p)
	p.Deleted = true
	h.emit("product.deleted", whole)
	return h.render(p), nil
}

func (h products) list(in *input) (any, error) {
	ids := setOf(in.strs("ids"))
	return listing[*Product]{
		what: "product", table: h.state.Products, rows: h.state.Products.all,
		keep: func(p *Product) bool {
			return !p.Deleted && (!in.has("active") || p.Active == in.flag("active")) &&
				(len(ids) == 0 || ids[p.ID]) && (!in.has("url") || p.URL == in.str("url"))
		},
		render: h.render,
	}.page(in)
}

func (h products) render(p *Product) object {
	if p.Deleted {
		return object{"id": p.ID, "object": "product", "deleted": true}
	}
	features := []any{}
	for _, f := range p.Features {
		features = append(features, object{"name": f})
	}
	return object{
		"id": p.ID, "object": "product", "active": p.Active, "created": p.Created, "livemode": false,
		"default_price": refTo("price", p.DefaultPrice), "description": orNull(p.Description),
		"images": p.Images, "marketing_features": features, "metadata": p.Metadata, "name": p.Name,
		"package_dimensions": nil, "shippable": nil, "statement_descriptor": orNull(p.Statement),
		"tax_code": orNull(p.TaxCode), "type": "service", "unit_label": orNull(p.UnitLabel),
		"updated": p.Updated, "url": orNull(p.URL),
	}
}
