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

func productResource() resource {
	return resource{
		kind: "product",
		render: finder(func(s *state) *table[*Product] { return s.Products },
			func(a *act, p *Product) object { return a.renderProduct(p) }),
		routes: []route{
			{"POST /v1/products", productParams + "id name! default_price_data{currency! unit_amount:int unit_amount_decimal:decimal recurring{interval:day|week|month|year! interval_count:int} tax_behavior:exclusive|inclusive|unspecified}", (*act).createProduct},
			{"GET /v1/products", listParams + "active:bool ids[] url", (*act).listProducts},
			{"GET /v1/products/{id}", "", (*act).getProduct},
			{"POST /v1/products/{id}", "active:bool description? images[]? marketing_features[]{name!}? metadata:map? statement_descriptor:22? tax_code? unit_label:12? url? name default_price?", (*act).updateProduct},
			{"DELETE /v1/products/{id}", "", (*act).deleteProduct},
		},
	}
}

func (a *act) createProduct(in *input) (any, error) {
	id := in.strOr("id", a.ids.short("prod_"))
	if err := a.checkProductID(in.params); err != nil {
		return nil, err
	}
	if err := checkPriceAmount(in.at("default_price_data")); in.has("default_price_data") && err != nil {
		return nil, err
	}
	p := a.addProduct(id, in.params)
	if in.has("default_price_data") {
		p.DefaultPrice = a.addPrice(p.ID, in.at("default_price_data"), true).ID
	}
	return a.renderProduct(p), nil
}

// checkProductID refuses an id of one's own that is taken, by a deleted product too.
func (a *act) checkProductID(p params) error {
	id := p.str("id")
	if _, taken := a.state.Products.get(id); taken {
		return invalid("resource_already_exists", p.name("id"), "Product already exists.")
	}
	if p.has("id") && !productID.MatchString(id) {
		return invalid("", p.name("id"), "Invalid product id: only letters, digits, `-` and `_`.")
	}
	return nil
}

var productID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,255}$`)

func (a *act) addProduct(id string, from params) *Product {
	p := &Product{Base: Base{ID: id, Created: a.at}, Active: true, Updated: a.at, Metadata: from.metadata()}
	p.take(from)
	a.state.Products.insert(p)
	a.emit("product.created", a.renderProduct(p))
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

func (a *act) productAt(in *input) (*Product, error) {
	p, ok := a.state.Products.get(in.path("id"))
	if !ok || p.Deleted {
		return nil, notFound("product", in.path("id"), "id")
	}
	return p, nil
}

func (a *act) getProduct(in *input) (any, error) {
	p, err := a.productAt(in)
	if err != nil {
		return nil, err
	}
	return a.renderProduct(p), nil
}

func (a *act) updateProduct(in *input) (any, error) {
	p, err := a.productAt(in)
	if err != nil {
		return nil, err
	}
	if id := in.str("default_price"); id != "" {
		if price, ok := a.state.Prices.get(id); !ok || price.Product != p.ID {
			return nil, noSuch("price", id, "default_price")
		}
	}
	before := a.renderProduct(p)
	p.take(in.params)
	p.Updated = a.at
	a.emitUpdate("product.updated", before, a.renderProduct(p))
	return a.renderProduct(p), nil
}

func (a *act) deleteProduct(in *input) (any, error) {
	p, err := a.productAt(in)
	if err != nil {
		return nil, err
	}
	if len(a.state.Prices.by("product", p.ID)) > 0 {
		return nil, invalid("", "", "This product cannot be deleted because it has one or more user-created prices.")
	}
	whole := a.renderProduct(p)
	p.Deleted = true
	a.emit("product.deleted", whole)
	return a.renderProduct(p), nil
}

func (a *act) listProducts(in *input) (any, error) {
	ids := setOf(in.strs("ids"))
	return listing[*Product]{
		what: "product", table: a.state.Products, rows: a.state.Products.all,
		keep: func(p *Product) bool {
			return !p.Deleted && (!in.has("active") || p.Active == in.flag("active")) &&
				(len(ids) == 0 || ids[p.ID]) && (!in.has("url") || p.URL == in.str("url"))
		},
		render: func(p *Product) object { return a.renderProduct(p) },
	}.page(in)
}

func setOf(words []string) map[string]bool {
	set := map[string]bool{}
	for _, w := range words {
		set[w] = true
	}
	return set
}

func (a *act) renderProduct(p *Product) object {
	if p.Deleted {
		return object{"id": p.ID, "object": "product", "deleted": true}
	}
	features := []any{}
	for _, f := range p.Features {
		features = append(features, object{"name": f})
	}
	return object{
		"id": p.ID, "object": "product", "active": p.Active, "created": p.Created, "livemode": false,
		"default_price": ref{"price", p.DefaultPrice}, "description": orNull(p.Description),
		"images": p.Images, "marketing_features": features, "metadata": p.Metadata, "name": p.Name,
		"package_dimensions": nil, "shippable": nil, "statement_descriptor": orNull(p.Statement),
		"tax_code": orNull(p.TaxCode), "type": "service", "unit_label": orNull(p.UnitLabel),
		"updated": p.Updated, "url": orNull(p.URL),
	}
}
