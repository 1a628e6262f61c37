package stripelocal_test

import (
	"testing"

	"github.com/stripe/stripe-go/v79"

	"usher/stripelocal"
)

func TestRadarListsHoldValuesOnce(t *testing.T) {
	l := start(t, stripelocal.Options{})
	list := must[*stripe.RadarValueList](t)(l.api.RadarValueLists.New(&stripe.RadarValueListParams{Alias: stripe.String("blocked"), Name: stripe.String("Blocked"), ItemType: stripe.String("email")}))
	_, err := l.api.RadarValueLists.New(&stripe.RadarValueListParams{Alias: stripe.String("blocked"), Name: stripe.String("Again")})
	wantError(t, err, 400, "resource_already_exists", stripe.ErrorTypeInvalidRequest)
	add := func(value string) (*stripe.RadarValueListItem, error) {
		return l.api.RadarValueListItems.New(&stripe.RadarValueListItemParams{ValueList: stripe.String(list.ID), Value: stripe.String(value)})
	}
	item := must[*stripe.RadarValueListItem](t)(add("Eve@example.com"))
	_, err = add("eve@EXAMPLE.com")
	wantError(t, err, 400, "resource_already_exists", stripe.ErrorTypeInvalidRequest)
	must[*stripe.RadarValueListItem](t)(add("bob@example.com"))
	if it := l.api.RadarValueListItems.List(&stripe.RadarValueListItemListParams{ValueList: stripe.String(list.ID), Value: stripe.String("EVE@example.com")}); !it.Next() || it.RadarValueListItem().ID != item.ID || it.Next() {
		t.Error("items are not found by value")
	}
	if it := l.api.RadarValueLists.List(&stripe.RadarValueListListParams{Contains: stripe.String("nobody@example.com")}); it.Next() {
		t.Error("a list is found by a value that it does not hold")
	}
	list = must[*stripe.RadarValueList](t)(l.api.RadarValueLists.Update(list.ID, &stripe.RadarValueListParams{Name: stripe.String("Refused")}))
	if list.Name != "Refused" || len(list.ListItems.Data) != 2 {
		t.Errorf("%s with %d items", list.Name, len(list.ListItems.Data))
	}
	must[*stripe.RadarValueListItem](t)(l.api.RadarValueListItems.Del(item.ID, nil))
	must[*stripe.RadarValueList](t)(l.api.RadarValueLists.Del(list.ID, nil))
	_, err = l.api.RadarValueListItems.Get(item.ID, nil)
	wantError(t, err, 404, "resource_missing", stripe.ErrorTypeInvalidRequest)
	_, err = l.api.RadarValueLists.Get(list.ID, nil)
	wantError(t, err, 404, "resource_missing", stripe.ErrorTypeInvalidRequest)
}
