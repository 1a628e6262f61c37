package stripegw

import (
	"context"
	"time"

	"github.com/stripe/stripe-go/v79"

	"usher/billing"
	"usher/billing/catalog"
)

// CreateCheckoutSession creates the Checkout session of a record, whose id is the idempotency key.
// A replayed response shows the session as it was created, so it is read again.
func (g *Gateway) CreateCheckoutSession(ctx context.Context, session billing.CheckoutSession) (billing.StripeCheckoutSession, error) {
	created, info, err := call(ctx, "create checkout session", func(ctx context.Context) (*stripe.CheckoutSession, error) {
		return g.checkouts.New(checkoutParams(ctx, session))
	})
	if err != nil {
		return billing.StripeCheckoutSession{}, err
	}
	if created.ID == "" {
		return billing.StripeCheckoutSession{}, invalidResponse(info, "the response is no checkout session")
	}
	if info.replayed {
		return g.CheckoutSession(ctx, created.ID)
	}
	return mapCheckout(created), nil
}

// checkoutParams sets the organization in three places: the session's metadata, the metadata of the
// resulting object, and client_reference_id, because Stripe copies none to the others. The URLs are
// sent unchanged, with the placeholder {CHECKOUT_SESSION_ID}.
func checkoutParams(ctx context.Context, session billing.CheckoutSession) *stripe.CheckoutSessionParams {
	params := &stripe.CheckoutSessionParams{
		Mode:              stripe.String(string(session.Mode)),
		Customer:          stripe.String(session.CustomerID),
		ClientReferenceID: stripe.String(session.OrganizationID),
		LineItems: []*stripe.CheckoutSessionLineItemParams{
			{Price: stripe.String(session.PriceID), Quantity: stripe.Int64(int64(session.Quantity))},
		},
		Metadata:   map[string]string{"orgId": session.OrganizationID, "user_id": session.UserID},
		SuccessURL: stripe.String(session.SuccessURL),
		CancelURL:  stripe.String(session.CancelURL),
	}
	setModeParams(params, session)
	setCheckoutOptions(params, session)
	params.Context = ctx
	params.SetIdempotencyKey("checkout:" + session.ID)
	return params
}

func setModeParams(params *stripe.CheckoutSessionParams, session billing.CheckoutSession) {
	metadata := map[string]string{"orgId": session.OrganizationID}
	if session.Mode == billing.ModePayment {
		params.PaymentIntentData = &stripe.CheckoutSessionPaymentIntentDataParams{Metadata: metadata}
		return
	}
	params.SubscriptionData = &stripe.CheckoutSessionSubscriptionDataParams{Metadata: metadata}
	setTrial(params, session)
}

// setCheckoutOptions sets what the page asks for. Both kinds of tax write to the existing customer,
// which customer_update has to allow. allow_promotion_codes and discounts exclude each other
// (https://docs.stripe.com/api/checkout/sessions/create).
func setCheckoutOptions(params *stripe.CheckoutSessionParams, session billing.CheckoutSession) {
	options, update := session.Options, &stripe.CheckoutSessionCustomerUpdateParams{}
	if options.PromotionCode != "" {
		params.Discounts = []*stripe.CheckoutSessionDiscountParams{{PromotionCode: stripe.String(options.PromotionCode)}}
	} else if options.Has(billing.CheckoutCodeField) {
		params.AllowPromotionCodes = stripe.Bool(true)
	}
	if options.TaxIDs {
		params.TaxIDCollection = &stripe.CheckoutSessionTaxIDCollectionParams{Enabled: stripe.Bool(true)}
		update.Name, params.CustomerUpdate = stripe.String("auto"), update
	}
	if options.AutomaticTax {
		params.AutomaticTax = &stripe.CheckoutSessionAutomaticTaxParams{Enabled: stripe.Bool(true)}
	}
	if options.AutomaticTax || options.BillingAddress == "required" {
		update.Address, params.CustomerUpdate = stripe.String("auto"), update
	}
	if options.BillingAddress != "" {
		params.BillingAddressCollection = stripe.String(options.BillingAddress)
	}
	if options.Has(billing.CheckoutTerms) {
		params.ConsentCollection = &stripe.CheckoutSessionConsentCollectionParams{TermsOfService: stripe.String("required")}
	}
	if options.Has(billing.CheckoutSavedCards) {
		params.SavedPaymentMethodOptions = savedPaymentMethods()
	}
	if options.Has(billing.CheckoutCustomText) {
		params.CustomText = customText(options)
	}
	setTaxRates(params, session)
}

// customText returns the adopter's texts; that of the terms only where consent to them is
// collected.
func customText(options billing.CheckoutOptions) *stripe.CheckoutSessionCustomTextParams {
	texts := &stripe.CheckoutSessionCustomTextParams{}
	if options.Texts.Submit != "" {
		texts.Submit = &stripe.CheckoutSessionCustomTextSubmitParams{Message: stripe.String(options.Texts.Submit)}
	}
	if options.Texts.Terms != "" && options.Has(billing.CheckoutTerms) {
		texts.TermsOfServiceAcceptance = &stripe.CheckoutSessionCustomTextTermsOfServiceAcceptanceParams{Message: stripe.String(options.Texts.Terms)}
	}
	return texts
}

// savedPaymentMethods offers every saved card. Checkout in subscription mode saves cards with
// allow_redisplay=limited, and older ones are unspecified; by default only always is shown
// (https://docs.stripe.com/payments/existing-customers#prefill-payment-fields).
func savedPaymentMethods() *stripe.CheckoutSessionSavedPaymentMethodOptionsParams {
	return &stripe.CheckoutSessionSavedPaymentMethodOptionsParams{
		AllowRedisplayFilters: stripe.StringSlice([]string{"always", "limited", "unspecified"}),
	}
}

// setTaxRates sets the tax rates of every invoice of the subscription, or of the only line of a
// payment (https://docs.stripe.com/payments/checkout/use-manual-tax-rates).
func setTaxRates(params *stripe.CheckoutSessionParams, session billing.CheckoutSession) {
	switch rates := stripe.StringSlice(session.Options.TaxRates); {
	case len(rates) == 0:
	case params.SubscriptionData != nil:
		params.SubscriptionData.DefaultTaxRates = rates
	default:
		params.LineItems[0].TaxRates = rates
	}
}

// setTrial sets the trial. Without payment_method_collection=if_required, Checkout asks for a card
// (https://docs.stripe.com/payments/checkout/free-trials).
func setTrial(params *stripe.CheckoutSessionParams, session billing.CheckoutSession) {
	if session.TrialDays == 0 { // Stripe rejects 0
		return
	}
	params.SubscriptionData.TrialPeriodDays = stripe.Int64(int64(session.TrialDays))
	if missing := session.Options.TrialWithoutCard; missing != "" {
		params.PaymentMethodCollection = stripe.String(string(stripe.CheckoutSessionPaymentMethodCollectionIfRequired))
		params.SubscriptionData.TrialSettings = &stripe.CheckoutSessionSubscriptionDataTrialSettingsParams{
			EndBehavior: &stripe.CheckoutSessionSubscriptionDataTrialSettingsEndBehaviorParams{MissingPaymentMethod: stripe.String(missing)},
		}
	}
}

// CheckoutSession reads a session with its subscription, if it has one.
func (g *Gateway) CheckoutSession(ctx context.Context, sessionID string) (billing.StripeCheckoutSession, error) {
	found, info, err := call(ctx, "read checkout session", func(ctx context.Context) (*stripe.CheckoutSession, error) {
		params := &stripe.CheckoutSessionParams{Expand: stripe.StringSlice([]string{
			"subscription", "subscription.default_payment_method", "line_items", "payment_intent.latest_charge", "invoice",
		})}
		params.Context = ctx
		return g.checkouts.Get(sessionID, params)
	})
	if err != nil {
		return billing.StripeCheckoutSession{}, err
	}
	if found.ID == "" {
		return billing.StripeCheckoutSession{}, invalidResponse(info, "the response is no checkout session")
	}
	checkout := mapCheckout(found)
	if found.Subscription == nil || found.Subscription.Object == "" {
		return checkout, nil
	}
	snapshot, err := g.snapshot(ctx, found.Subscription, info)
	checkout.Subscription = &snapshot
	return checkout, err
}

// ExpireCheckoutSession expires an open session. For a complete or expired one it returns a
// StripeError with status 400.
func (g *Gateway) ExpireCheckoutSession(ctx context.Context, sessionID string) error {
	_, _, err := call(ctx, "expire checkout session", func(ctx context.Context) (*stripe.CheckoutSession, error) {
		params := &stripe.CheckoutSessionExpireParams{}
		params.Context = ctx
		return g.checkouts.Expire(sessionID, params)
	})
	return err
}

// mapCheckout maps a session without its subscription. Unknown modes and statuses stay unchanged.
func mapCheckout(s *stripe.CheckoutSession) billing.StripeCheckoutSession {
	checkout := billing.StripeCheckoutSession{
		ID:                s.ID,
		URL:               s.URL,
		Mode:              billing.CheckoutMode(s.Mode),
		Status:            billing.CheckoutStatus(s.Status),
		PaymentStatus:     string(s.PaymentStatus),
		CustomerID:        customerID(s.Customer),
		ClientReferenceID: s.ClientReferenceID,
		OrgID:             s.Metadata["orgId"],
		ExpiresAt:         time.Unix(s.ExpiresAt, 0).UTC(),
	}
	checkout.Total = catalog.Money{Minor: s.AmountTotal, Currency: string(s.Currency)}
	if s.Mode == stripe.CheckoutSessionModePayment && s.PaymentStatus == stripe.CheckoutSessionPaymentStatusPaid {
		checkout.AmountPaid = checkout.Total
	}
	if s.Invoice != nil {
		checkout.InvoiceID = s.Invoice.ID
		checkout.AmountPaid = catalog.Money{Minor: s.Invoice.AmountPaid, Currency: string(s.Currency)}
	}
	if s.Subscription != nil {
		checkout.SubscriptionID = s.Subscription.ID
	}
	if s.LineItems != nil && len(s.LineItems.Data) > 0 && s.LineItems.Data[0].Price != nil {
		checkout.PriceID = s.LineItems.Data[0].Price.ID
	}
	if s.PaymentIntent != nil && s.PaymentIntent.LatestCharge != nil && s.PaymentIntent.LatestCharge.Paid {
		checkout.ChargeID = s.PaymentIntent.LatestCharge.ID
		checkout.PaidAt = time.Unix(s.PaymentIntent.LatestCharge.Created, 0).UTC()
	}
	return checkout
}
