package stripegw

import (
	"context"
	"maps"

	"github.com/stripe/stripe-go/v79"
	"github.com/stripe/stripe-go/v79/form"
)

// portalHashKey is the metadata key for the hash of a configuration's parameters.
const portalHashKey = "usher_config"

// switchProduct is a product with the prices that the portal offers.
type switchProduct = *stripe.BillingPortalConfigurationFeaturesSubscriptionUpdateProductParams

// maxPortalProducts is the maximum number of products of a configuration
// (https://docs.stripe.com/api/customer_portal/configurations/create,
// features.subscription_update.products).
const maxPortalProducts = 10

// portalConfiguration returns the id of an active configuration with these plan switches: the
// cached one, the one found at Stripe by its hash, or a new one. It skips the refused one.
func (c *portalCalls) portalConfiguration(ctx context.Context, products []switchProduct, refused string) (string, error) {
	params := portalParams(products)
	params.BusinessProfile.TermsOfServiceURL, params.BusinessProfile.PrivacyPolicyURL = orUnset(c.termsURL), orUnset(c.privacyURL)
	mark := portalHash(params)
	if id := c.cachedPortalConfiguration(mark); id != "" {
		return id, nil
	}
	id, err := c.findPortalConfiguration(ctx, mark, refused)
	if err == nil && id == "" {
		id, err = c.createPortalConfiguration(ctx, params, mark, refused)
	}
	if err != nil {
		return "", err
	}
	c.cachePortalConfiguration(mark, id)
	return id, nil
}

func (c *portalCalls) cachedPortalConfiguration(mark string) string {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.ids[mark]
}

func (c *portalCalls) cachePortalConfiguration(mark, id string) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.ids[mark] = id
}

func (c *portalCalls) evictPortalConfiguration(id string) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	maps.DeleteFunc(c.ids, func(_, known string) bool { return known == id })
}

func (c *portalCalls) findPortalConfiguration(ctx context.Context, mark, refused string) (string, error) {
	id, _, err := call(ctx, "list portal configurations", func(ctx context.Context) (string, error) {
		params := &stripe.BillingPortalConfigurationListParams{Active: stripe.Bool(true)}
		params.Context, params.Limit = ctx, stripe.Int64(pageSize)
		list := c.portalConfigurations.List(params)
		for list.Next() {
			if found := list.BillingPortalConfiguration(); found.Metadata[portalHashKey] == mark && found.ID != refused {
				return found.ID, nil
			}
		}
		return "", list.Err()
	})
	return id, err
}

// createPortalConfiguration uses the hash as idempotency key, so that replicas create only one.
// The id of a refused one is part of the key, since Stripe would replay the response with it.
func (c *portalCalls) createPortalConfiguration(
	ctx context.Context, params *stripe.BillingPortalConfigurationParams, mark, refused string,
) (string, error) {
	created, info, err := call(ctx, "create portal configuration", func(ctx context.Context) (*stripe.BillingPortalConfiguration, error) {
		params.Context = ctx
		params.AddMetadata(portalHashKey, mark)
		params.SetIdempotencyKey("portal:" + mark + ":" + refused)
		return c.portalConfigurations.New(params)
	})
	if err != nil {
		return "", err
	}
	if created.ID == "" {
		return "", invalidResponse(info, "the response is no portal configuration")
	}
	return created.ID, nil
}

// orUnset returns nil for an empty string, which stripe-go leaves out.
func orUnset(text string) *string {
	if text == "" {
		return nil
	}
	return stripe.String(text)
}

// portalParams returns our configuration. Seats follow the members, so the portal can change the
// price but not the quantity.
func portalParams(products []switchProduct) *stripe.BillingPortalConfigurationParams {
	enabled := stripe.Bool(true)
	return &stripe.BillingPortalConfigurationParams{
		BusinessProfile: &stripe.BillingPortalConfigurationBusinessProfileParams{
			Headline: stripe.String("Manage your plan, cards and invoices"),
		},
		Features: &stripe.BillingPortalConfigurationFeaturesParams{
			CustomerUpdate: &stripe.BillingPortalConfigurationFeaturesCustomerUpdateParams{
				Enabled:        enabled,
				AllowedUpdates: stripe.StringSlice([]string{"email", "name", "address", "tax_id"}),
			},
			InvoiceHistory:      &stripe.BillingPortalConfigurationFeaturesInvoiceHistoryParams{Enabled: enabled},
			PaymentMethodUpdate: &stripe.BillingPortalConfigurationFeaturesPaymentMethodUpdateParams{Enabled: enabled},
			SubscriptionCancel: &stripe.BillingPortalConfigurationFeaturesSubscriptionCancelParams{
				Enabled: enabled,
				Mode:    stripe.String(string(stripe.BillingPortalConfigurationFeaturesSubscriptionCancelModeAtPeriodEnd)),
			},
			SubscriptionUpdate: planChangeParams(products),
		},
	}
}

// planChangeParams sends default_allowed_updates and products even if the feature is disabled,
// because this API version requires both
// (https://docs.stripe.com/api/customer_portal/configurations/create).
func planChangeParams(products []switchProduct) *stripe.BillingPortalConfigurationFeaturesSubscriptionUpdateParams {
	if products == nil {
		products = []switchProduct{} // stripe-go omits a nil parameter
	}
	return &stripe.BillingPortalConfigurationFeaturesSubscriptionUpdateParams{
		Enabled:               stripe.Bool(len(products) > 0),
		DefaultAllowedUpdates: stripe.StringSlice([]string{"price"}),
		ProrationBehavior:     stripe.String("always_invoice"), // Stripe's default is none
		Products:              products,
	}
}

// portalHash returns the hash of the form that would be sent.
func portalHash(params *stripe.BillingPortalConfigurationParams) string {
	values := &form.Values{}
	form.AppendTo(values, params)
	return hash(values.Encode())
}
