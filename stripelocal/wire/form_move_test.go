package wire

import "testing"

func TestMovedValuesKeepTheNameTheyWereSentUnder(t *testing.T) {
	form, bad := DecodeForm("promotion[type]=coupon&promotion[coupon]=ten&code=TEN&phases[0][end]=1&phases[1][iterations]=2")
	if bad != nil {
		t.Fatal(bad)
	}
	for path, want := range map[string]string{
		"code": "TEN", "promotion[coupon]": "ten", "phases[][iterations]": "2", "phases[1][iterations]": "2",
	} {
		if v := form.Lookup(path); v == nil || v.Text() != want {
			t.Errorf("%s is %v, want %s", path, v, want)
		}
	}
	for _, path := range []string{"coupon", "code[x]", "phases[][price]", "promotion[coupon][id]"} {
		if form.Lookup(path) != nil || form.Take(path) != nil {
			t.Errorf("%s was found", path)
		}
	}
	form.Put("coupon", form.Take("promotion[coupon]"))
	if form.Lookup("promotion[type]") == nil {
		t.Error("the rest of the hash is gone")
	}
	form.Take("promotion[type]")
	p := NewParams(form)
	if p.Has("promotion") || p.String("coupon") != "ten" || p.SentName("coupon") != "promotion[coupon]" || p.SentName("code") != "code" || p.SentName("") != "" {
		t.Errorf("parameters %v, coupon sent as %s", p.Names(), p.SentName("coupon"))
	}
}
