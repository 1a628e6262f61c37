package stripelocal

import (
	"regexp"

	"usher/stripelocal/wire"
)

// Product is a product of the account.
type Product struct {
	Base
	Active              bool
	Deleted             bool
	DefaultPrice        string
	Description         string
	Images              []string
	MarketingFeatures   []string
	Metadata            map[string]string
	Name                string
	StatementDescriptor string
	TaxCode             string
	UnitLabel           string
	Updated             int64
	URL                 string
}

const productParams = "active:bool description images[] marketing_features[]{name!} metadata:map statement_descriptor:22 tax_code unit_label:12 url "

// products serves /v1/products.
type products struct{ *request }

func productResource() resource {
	return resource{
		objectType: "product",
		render: renderFrom(func(s *store) *table[*Product] { return s.Products },
			bind(products.render)),
		routes: []route{
			on("POST /v1/products", productParams+"id name! default_price_data{currency:currency! unit_amount:int unit_amount_decimal:decimal recurring{interval:day|week|month|year! interval_count:int} tax_behavior:exclusive|inclusive|unspecified}", products.create),
			on("GET /v1/products", listParams+"active:bool ids[] url", products.list),
			on("GET /v1/products/{id}", "", products.get),
			on("POST /v1/products/{id}", "active:bool description? images[]? marketing_features[]{name!}? metadata:map? statement_descriptor:22? tax_code? unit_label:12? url? name default_price?", products.update),
			on("DELETE /v1/products/{id}", "", products.delete),
		},
	}
}

func (h products) create(in *input) (any, error) {
	id := in.StringOr("id", h.ids.shortID("prod_"))
	if err := h.checkID(in.Params); err != nil {
		return nil, err
	}
	if err := checkPriceAmount(in.At("default_price_data")); in.Has("default_price_data") && err != nil {
		return nil, err
	}
	p := h.insert(id, in.Params)
	if in.Has("default_price_data") {
		p.DefaultPrice = h.prices.insert(p.ID, in.At("default_price_data"), true).ID
	}
	return h.render(p), nil
}

// checkID rejects an invalid id, and an id that exists or was deleted.
func (h products) checkID(p wire.Params) error {
	id := p.String("id")
	if _, taken := h.store.Products.get(id); taken {
		return wire.Invalid("resource_already_exists", p.Name("id"), "Product already exists.")
	}
	if p.Has("id") && !productIDPattern.MatchString(id) {
		return wire.Invalid("", p.Name("id"), "Invalid product id: only letters, digits, `-` and `_`.")
	}
	return nil
}

var productIDPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,255}$`)

func (h products) insert(id string, from wire.Params) *Product {
	p := &Product{Base: Base{ID: id, Created: h.now}, Active: true, Updated: h.now, Metadata: from.Metadata()}
	p.setFields(from)
	h.store.Products.insert(p)
	h.emit("product.created", h.render(p))
	return p
}

func (p *Product) setFields(from wire.Params) {
	from.SetBool("active", &p.Active)
	from.SetString("name", &p.Name)
	from.SetString("description", &p.Description)
	from.SetString("default_price", &p.DefaultPrice)
	from.SetString("statement_descriptor", &p.StatementDescriptor)
	from.SetString("tax_code", &p.TaxCode)
	from.SetString("unit_label", &p.UnitLabel)
	from.SetString("url", &p.URL)
	from.SetMetadata(&p.Metadata)
	if from.Has("images") {
		p.Images = from.Strings("images")
	}
	if from.Has("marketing_features") {
		p.MarketingFeatures = nil
		for _, f := range from.List("marketing_features") {
			p.MarketingFeatures = append(p.MarketingFeatures, f.String("name"))
		}
	}
}

func (h products) find(in *input) (*Product, error) {
	p, ok := h.store.Products.get(in.pathValue("id"))
	if !ok || p.Deleted {
		return nil, wire.NotFound("product", in.pathValue("id"), "id")
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
	if id := in.String("default_price"); id != "" {
		if price, ok := h.store.Prices.get(id); !ok || price.Product != p.ID {
			return nil, wire.NoSuch("price", id, "default_price")
		}
	}
	before := h.render(p)
	p.setFields(in.Params)
	p.Updated = h.now
	h.emitUpdate("product.updated", before, h.render(p))
	return h.render(p), nil
}

func (h products) delete(in *input) (any, error) {
	p, err := h.find(in)
	if err != nil {
		return nil, err
	}
	if len(h.store.Prices.by("product", p.ID)) > 0 {
		return nil, wire.Invalid("", "", "This product cannot be deleted because it has one or more user-created prices.")
	}
	rendered := h.render(p)
	p.Deleted = true
	h.emit("product.deleted", rendered)
	return h.render(p), nil
}

func (h products) list(in *input) (any, error) {
	ids := setOf(in.Strings("ids"))
	return listing[*Product]{
		resource: "product", table: h.store.Products, rows: h.store.Products.all,
		filter: func(p *Product) bool {
			return !p.Deleted && (!in.Has("active") || p.Active == in.Bool("active")) &&
				(len(ids) == 0 || ids[p.ID]) && (!in.Has("url") || p.URL == in.String("url"))
		},
		render: h.render,
	}.page(in)
}

func (h products) render(p *Product) wire.Object {
	if p.Deleted {
		return wire.Object{"id": p.ID, "object": "product", "deleted": true}
	}
	features := []any{}
	for _, f := range p.MarketingFeatures {
		features = append(features, wire.Object{"name": f})
	}
	return wire.Object{
		"id": p.ID, "object": "product", "active": p.Active, "created": p.Created, "livemode": false,
		"default_price": wire.Ref("price", p.DefaultPrice), "description": wire.StringOrNull(p.Description),
		"images": p.Images, "marketing_features": features, "metadata": p.Metadata, "name": p.Name,
		"package_dimensions": nil, "shippable": nil, "statement_descriptor": wire.StringOrNull(p.StatementDescriptor),
		"tax_code": wire.StringOrNull(p.TaxCode), "type": "service", "unit_label": wire.StringOrNull(p.UnitLabel),
		"updated": p.Updated, "url": wire.StringOrNull(p.URL),
	}
}
