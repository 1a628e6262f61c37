package stripelocal_test

import (
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v79"

	"usher/stripelocal"
)

// percentOff creates a coupon.
func (l *testServer) percentOff(percent float64, duration string) string {
	l.t.Helper()
	return l.coupon(&stripe.CouponParams{PercentOff: stripe.Float64(percent), Duration: stripe.String(duration)}).ID
}

// lastEvent returns the object and the previous attributes of the latest event of a type.
func (l *testServer) lastEvent(kind string) (object, previous map[string]any) {
	l.t.Helper()
	list, _ := l.callObject("GET", "/v1/events?limit=1&type="+kind, "")["data"].([]any)
	if len(list) == 0 {
		l.t.Fatalf("no %s", kind)
	}
	data, _ := list[0].(map[string]any)["data"].(map[string]any)
	object, _ = data["object"].(map[string]any)
	previous, _ = data["previous_attributes"].(map[string]any)
	return object, previous
}

func objectIn(o map[string]any, name string) map[string]any {
	inner, _ := o[name].(map[string]any)
	return inner
}

// The calls are those of the official command line tool's triggers customer.discount.created,
// .updated and .deleted.
func TestADiscountIsSetReplacedAndRemoved(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	twenty, thirty := l.percentOff(20, "once"), l.percentOff(30, "once")
	c := l.callObject("POST", "/v1/customers", "description=x&coupon="+twenty)
	id, _ := c["id"].(string)
	first := objectIn(c, "discount")
	if objectIn(first, "coupon")["id"] != twenty || objectIn(first, "coupon")["times_redeemed"] != 1.0 || first["customer"] != id || first["subscription"] != nil || first["invoice"] != nil || first["end"] != nil {
		t.Fatalf("the new customer's: %v", first)
	}
	wantOrder(t, l, "customer.created", "customer.discount.created")
	if o, _ := l.lastEvent("customer.created"); objectIn(o, "discount")["id"] != first["id"] {
		t.Errorf("customer.created: %v", o["discount"])
	}
	if o, _ := l.lastEvent("customer.discount.created"); o["id"] != first["id"] || o["object"] != "discount" {
		t.Errorf("created: %v", o)
	}
	if got := l.callObject("GET", "/v1/customers/"+id+"/discount?expand[]=customer", ""); got["id"] != first["id"] || objectIn(got, "customer")["id"] != id {
		t.Errorf("retrieved: %v", got)
	}

	second := objectIn(l.callObject("POST", "/v1/customers/"+id, "coupon="+thirty), "discount")
	o, previous := l.lastEvent("customer.discount.updated")
	if second["id"] == first["id"] || o["id"] != second["id"] || previous["id"] != first["id"] || objectIn(previous, "coupon")["percent_off"] != 20.0 {
		t.Errorf("replaced: %v, was %v", o, previous)
	}
	if _, previous := l.lastEvent("customer.updated"); objectIn(previous, "discount")["id"] != first["id"] {
		t.Errorf("customer.updated: was %v", previous)
	}

	if c := l.callObject("POST", "/v1/customers/"+id, "coupon="); c["discount"] != nil {
		t.Errorf("still there: %v", c["discount"])
	}
	if o, _ := l.lastEvent("customer.discount.deleted"); o["id"] != second["id"] {
		t.Errorf("deleted: %v", o)
	}
	l.callObject("POST", "/v1/customers/"+id, "coupon=&promotion_code=") // there is none to remove
	l.callError("GET", "/v1/customers/"+id+"/discount", "", 404)
	l.callError("DELETE", "/v1/customers/"+id+"/discount", "", 404)
	l.callObject("POST", "/v1/customers/"+id, "coupon="+twenty)
	if gone := l.callObject("DELETE", "/v1/customers/"+id+"/discount", ""); gone["deleted"] != true || gone["object"] != "discount" || objectIn(gone, "coupon")["id"] != twenty {
		t.Errorf("DELETE: %v", gone)
	}
	if created, updated, deleted := l.countEvents("customer.discount.created"), l.countEvents("customer.discount.updated"), l.countEvents("customer.discount.deleted"); created != 2 || updated != 1 || deleted != 2 {
		t.Errorf("%d created, %d updated, %d deleted", created, updated, deleted)
	}
	if used := must[*stripe.Coupon](t)(l.api.Coupons.Get(twenty, nil)); used.TimesRedeemed != 2 {
		t.Errorf("redeemed %d times", used.TimesRedeemed)
	}
	l.callObject("POST", "/v1/customers/"+id, "coupon="+twenty)
	must[*stripe.Customer](t)(l.api.Customers.Del(id, nil))
	l.callError("GET", "/v1/customers/"+id+"/discount", "", 404)
}

func TestRestrictionsOfACustomersDiscount(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	half := l.percentOff(50, "forever")
	restricted := func(code string, r *stripe.PromotionCodeRestrictionsParams) string {
		return l.promotion(half, code, func(p *stripe.PromotionCodeParams) { p.Restrictions = r }).ID
	}
	first := restricted("FIRST", &stripe.PromotionCodeRestrictionsParams{FirstTimeTransaction: stripe.Bool(true)})
	large := restricted("LARGE", &stripe.PromotionCodeRestrictionsParams{MinimumAmount: stripe.Int64(9900), MinimumAmountCurrency: stripe.String("usd")})
	c := l.payingCustomer().ID
	others := l.promotion(half, "OTHERS", func(p *stripe.PromotionCodeParams) { p.Customer = stripe.String(l.createCustomer().ID) }).ID
	limited := l.coupon(&stripe.CouponParams{PercentOff: stripe.Float64(5), MaxRedemptions: stripe.Int64(1), Duration: stripe.String("forever")}).ID
	dated := l.coupon(&stripe.CouponParams{PercentOff: stripe.Float64(5), RedeemBy: stripe.Int64(l.time.Load() + 60), Duration: stripe.String("forever")}).ID
	deleted := l.percentOff(5, "forever")

	if d := objectIn(l.callObject("POST", "/v1/customers", "promotion_code="+first), "discount"); d["promotion_code"] != first {
		t.Errorf("with a code: %v", d)
	}
	if code := must[*stripe.PromotionCode](t)(l.api.PromotionCodes.Get(first, nil)); code.TimesRedeemed != 1 || code.Coupon.TimesRedeemed != 1 {
		t.Errorf("redeemed %d times, the coupon %d", code.TimesRedeemed, code.Coupon.TimesRedeemed)
	}
	l.callObject("POST", "/v1/customers/"+c, "promotion_code="+large) // nothing is bought yet
	if d := objectIn(l.callObject("POST", "/v1/customers/"+c, "coupon="+limited), "discount"); objectIn(d, "coupon")["valid"] != false {
		t.Errorf("used up, and shown as %v", d)
	}
	l.callObject("POST", "/v1/customers/"+c, "coupon="+deleted)
	l.remove(200, "/v1/coupons/"+deleted)
	if d := objectIn(l.callObject("GET", "/v1/customers/"+c, ""), "discount"); objectIn(d, "coupon")["id"] != deleted || objectIn(d, "coupon")["valid"] != false {
		t.Errorf("of the deleted coupon: %v", d)
	}
	l.time.Add(120)
	l.subscribeTo(c, l.createPriceIn("usd", 1000, "month"), 1)
	before := l.countEvents("customer.discount.updated")
	for form, want := range map[string][2]string{
		"promotion_code=" + first:                     {"promotion_code", "has prior transactions"},
		"promotion_code=" + others:                    {"promotion_code", "cannot be redeemed"},
		"promotion_code=promo_none":                   {"promotion_code", "No such promotion code"},
		"coupon=none":                                 {"coupon", "No such coupon"},
		"coupon=" + deleted:                           {"coupon", "No such coupon"},
		"coupon=" + limited:                           {"coupon", "used up or expired"},
		"coupon=" + dated:                             {"coupon", "used up or expired"},
		"coupon=" + half + "&promotion_code=" + large: {"promotion_code", "only specify one"},
	} {
		e := l.callError("POST", "/v1/customers/"+c, form+"&name=Ada", 400)
		if message, _ := e["message"].(string); e["param"] != want[0] || !strings.Contains(message, want[1]) {
			t.Errorf("%s: %v", form, e)
		}
	}
	l.callError("POST", "/v1/customers", "promotion_code="+others, 400)
	if got := l.callObject("GET", "/v1/customers/"+c, ""); got["name"] != nil || l.countEvents("customer.discount.updated") != before {
		t.Errorf("a refused call changed the customer: %v", got)
	}
}

// A discount in euros is refused while the customer pays in dollars.
func TestADiscountHasTheCustomersCurrency(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	k := l.createOnTestClock("pm_card_visa")
	off := func(currency string) string {
		return l.coupon(&stripe.CouponParams{AmountOff: stripe.Int64(100), Currency: stripe.String(currency), Duration: stripe.String("forever")}).ID
	}
	l.callObject("POST", "/v1/customers/"+k.customer, "coupon="+off("usd"))
	l.callObject("POST", "/v1/customers/"+k.customer, "coupon="+off("eur")) // replaces the other
	l.callObject("POST", "/v1/customers/"+k.customer, "coupon="+off("usd"))
	k.subscribe(l.createPriceIn("usd", 1000, "month"), 1)
	e := l.callError("POST", "/v1/customers/"+k.customer, "coupon="+off("eur"), 400)
	if message, _ := e["message"].(string); !strings.HasSuffix(message, "with currency usd.") {
		t.Errorf("%v", e)
	}
}

// Since 2025-03-31.basil a customer cannot be given a discount (changelog:
// deprecate-singular-coupon-promotion-code). An older one is still shown, and can be deleted.
func TestNewerVersionsOnlyShowACustomersDiscount(t *testing.T) {
	t.Parallel()
	v := startIn(t, basil)
	coupon := v.percentOff(50, "forever")
	c := v.callObject("POST", "/v1/customers", "coupon="+coupon)
	path := "/v1/customers/" + c["id"].(string)
	for _, v.version = range []string{basil, clover, stripelocal.LatestAPIVersion()} {
		for _, name := range []string{"coupon", "promotion_code"} {
			v.refuses(400, name, "Received unknown parameter", "POST", "/v1/customers", url.Values{name: {coupon}})
			v.refuses(400, name, "Received unknown parameter", "POST", path, url.Values{name: {""}})
		}
	}
	v.version = basil
	if _, o := v.call("GET", path, nil); objectIn(objectIn(o, "discount"), "coupon")["id"] != coupon {
		t.Errorf("basil: %v", o["discount"])
	}
	v.version = clover
	if _, o := v.call("GET", path, nil); objectIn(objectIn(o, "discount"), "source")["coupon"] != coupon || objectIn(o, "discount")["coupon"] != nil {
		t.Errorf("clover: %v", o["discount"])
	}
	v.version = stripelocal.LatestAPIVersion()
	status, gone := v.call("DELETE", path+"/discount", nil)
	if status != 200 || gone["deleted"] != true || objectIn(gone, "source")["coupon"] != coupon {
		t.Errorf("DELETE: %d %v", status, gone)
	}
}

// A discount ends by the clock, also after a restart.
func TestACustomersDiscountEndsAfterARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stripe.json")
	l := start(t, stripelocal.Options{StatePath: path})
	coupon := l.coupon(&stripe.CouponParams{PercentOff: stripe.Float64(50), Duration: stripe.String("repeating"), DurationInMonths: stripe.Int64(1)}).ID
	c := l.callObject("POST", "/v1/customers", "coupon="+coupon)
	id, _ := c["id"].(string)
	want := objectIn(c, "discount")
	if want["end"] != float64(time.Unix(l.time.Load(), 0).UTC().AddDate(0, 1, 0).Unix()) {
		t.Errorf("from %d until %v", l.time.Load(), want["end"])
	}
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := start(t, stripelocal.Options{StatePath: path})
	if got := again.callObject("GET", "/v1/customers/"+id+"/discount", ""); got["id"] != want["id"] || got["end"] != want["end"] {
		t.Errorf("after the restart: %v, want %v", got, want)
	}
	again.time.Add(32 * day)
	if got := again.callObject("GET", "/v1/customers/"+id, ""); got["discount"] != nil {
		t.Errorf("after its end: %v", got["discount"])
	}
	if o, _ := again.lastEvent("customer.discount.deleted"); o["id"] != want["id"] {
		t.Errorf("deleted: %v", o)
	}
}
