package catalog

import "testing"

func TestMoneyFormat(t *testing.T) {
	cases := []struct {
		money                Money
		decimal, full, short string
	}{
		{Money{261000, "usd"}, "2610.00", "$2,610.00", "$2,610"},
		{Money{5, "USD"}, "0.05", "$0.05", "$0.05"},
		{Money{-334, "usd"}, "-3.34", "-$3.34", "-$3.34"},
		{Money{0, "usd"}, "0.00", "$0.00", "$0"},
		{Money{500, "jpy"}, "500", "¥500", "¥500"},
		{Money{1250, "kwd"}, "1.250", "KWD 1.250", "KWD 1.250"},
		// Stripe uses two decimals for ISK.
		{Money{150000, "isk"}, "1500.00", "ISK 1,500.00", "ISK 1,500"},
		{Money{7200, "eur"}, "72.00", "€72.00", "€72"},
	}
	for _, c := range cases {
		if got := c.money.Decimal(); got != c.decimal {
			t.Errorf("%v decimal: got %q, want %q", c.money, got, c.decimal)
		}
		if got := normalSpaces(c.money.Format()); got != c.full {
			t.Errorf("%v full: got %q, want %q", c.money, got, c.full)
		}
		if got := normalSpaces(c.money.FormatShort()); got != c.short {
			t.Errorf("%v short: got %q, want %q", c.money, got, c.short)
		}
	}
}

func normalSpaces(s string) string {
	out := []rune(s)
	for i, r := range out {
		if r == 0xa0 || r == 0x202f {
			out[i] = ' '
		}
	}
	return string(out)
}

func TestMoneyTimes(t *testing.T) {
	if got := (Money{2900, "usd"}).Times(9); got != (Money{26100, "usd"}) {
		t.Errorf("got %v", got)
	}
}
