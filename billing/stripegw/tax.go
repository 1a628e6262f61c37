package stripegw

import (
	"context"

	"github.com/stripe/stripe-go/v79"
)

// MissingTaxSettings lists what Stripe Tax lacks before it can calculate tax, such as head_office;
// none if it is active (https://docs.stripe.com/api/tax/settings/object).
func (g *Gateway) MissingTaxSettings(ctx context.Context) ([]string, error) {
	missing, _, err := call(ctx, "read tax settings", func(ctx context.Context) ([]string, error) {
		params := &stripe.TaxSettingsParams{}
		params.Context = ctx
		settings, err := g.taxSettings.Get(params)
		if err != nil || settings.Status == stripe.TaxSettingsStatusActive {
			return nil, err
		}
		if settings.StatusDetails == nil || settings.StatusDetails.Pending == nil || len(settings.StatusDetails.Pending.MissingFields) == 0 {
			return []string{"status " + string(settings.Status)}, nil
		}
		return settings.StatusDetails.Pending.MissingFields, nil
	})
	return missing, err
}
