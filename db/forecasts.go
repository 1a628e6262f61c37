package db

import (
	"context"

	"usher/billing"
)

// forecastStore implements [billing.ForecastStore].
type forecastStore struct{ queries }

// Forecasts implements [billing.Tx].
func (q queries) Forecasts() billing.ForecastStore { return forecastStore{q} }

// forecastsKept is how many forecasts of an organization are kept.
const forecastsKept = 20

var forecastTable = tableOf[billing.Forecast]("forecasts")

var selectForecast = `select ` + forecastTable.list("") + ` from forecasts where organization_id = $1 and question = $2`

// Get implements [billing.ForecastStore].
func (q forecastStore) Get(ctx context.Context, organizationID, question string) (billing.Forecast, error) {
	return get[billing.Forecast](ctx, q.queries, "read forecast", selectForecast, organizationID, question)
}

var putForecast = forecastTable.upsert("organization_id", "question") + ` where forecasts.fetched_at <= excluded.fetched_at`

const deleteOldForecasts = `
	delete from forecasts where organization_id = $1 and question <> '' and question in (
		select question from forecasts where organization_id = $1 and question <> '' order by fetched_at desc offset $2)`

// Put implements [billing.ForecastStore].
func (q forecastStore) Put(ctx context.Context, f billing.Forecast) error {
	if err := q.exec(ctx, "write forecast", putForecast, forecastTable.values(f)...); err != nil {
		return err
	}
	return q.exec(ctx, "delete old forecasts", deleteOldForecasts, f.OrganizationID, forecastsKept)
}
