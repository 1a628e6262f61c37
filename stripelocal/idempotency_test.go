package stripelocal_test

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v79"

	"usher/stripelocal"
)

// TestConcurrentCallsWithOneKeyHaveOneEffect sends one call fifty times at once. Every call but the
// first gets the first response or a 409.
func TestConcurrentCallsWithOneKeyHaveOneEffect(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	ids, problems := make(chan string, 50), make(chan error, 50)
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			p := &stripe.CustomerParams{Email: stripe.String("ada@example.com")}
			p.SetIdempotencyKey("same")
			c, err := l.api.Customers.New(p)
			if err != nil {
				problems <- err
				return
			}
			ids <- c.ID
		})
	}
	all.Wait()
	close(ids)
	close(problems)
	distinct := map[string]bool{}
	for id := range ids {
		distinct[id] = true
	}
	for err := range problems {
		wantError(t, err, 409, "idempotency_key_in_use", stripe.ErrorTypeInvalidRequest)
	}
	if len(distinct) != 1 || len(l.eventTypes()) != 1 {
		t.Errorf("%d customers, events %v", len(distinct), l.eventTypes())
	}
}

func TestIdempotencyKeyIsBoundToItsCallForADay(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	call := func(key, email string) (*stripe.Customer, error) {
		p := &stripe.CustomerParams{Email: stripe.String(email)}
		p.SetIdempotencyKey(key)
		return l.api.Customers.New(p)
	}
	first := must[*stripe.Customer](t)(call("k", "ada@example.com"))
	_, err := call("k", "bob@example.com")
	wantError(t, err, 400, "", stripe.ErrorTypeIdempotency)
	other := &stripe.ProductParams{Name: stripe.String("Pro")}
	other.SetIdempotencyKey("k")
	_, err = l.api.Products.New(other)
	wantError(t, err, 400, "", stripe.ErrorTypeIdempotency)
	if res := l.postRaw("/v1/customers", "", strings.Repeat("k", 256)); res.StatusCode != http.StatusBadRequest {
		t.Errorf("a key of 256 characters: %d", res.StatusCode)
	}

	l.AdvanceClock(l.Now().Add(25 * time.Hour))
	if again := must[*stripe.Customer](t)(call("k", "ada@example.com")); again.ID == first.ID {
		t.Error("the key was still bound after a day")
	}
}

func TestDeclinesAreStoredUnderTheKeyAndValidationErrorsAreNot(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	pay := func(card string) (*stripe.PaymentIntent, error) {
		p := intent(2000, card)
		p.SetIdempotencyKey("pay")
		return l.api.PaymentIntents.New(p)
	}
	bad := intent(2000, "pm_card_visa")
	bad.SetIdempotencyKey("pay")
	bad.AddExtra("nonsense", "1")
	_, err := l.api.PaymentIntents.New(bad)
	wantError(t, err, 400, "parameter_unknown", stripe.ErrorTypeInvalidRequest)
	_, first := pay("pm_card_chargeDeclined")
	_, second := pay("pm_card_chargeDeclined")
	var one, two *stripe.Error
	if !errors.As(first, &one) || !errors.As(second, &two) || one.HTTPStatusCode != http.StatusPaymentRequired || one.PaymentIntent.ID != two.PaymentIntent.ID {
		t.Errorf("%v, then %v", first, second)
	}
	if n := strings.Count(strings.Join(l.eventTypes(), " "), "charge.failed"); n != 1 {
		t.Errorf("%d charges failed", n)
	}
}
