package stripelocal_test

import (
	"testing"

	"github.com/stripe/stripe-go/v79"

	"usher/stripelocal"
)

func TestBankTransfersFundTheCashBalance(t *testing.T) {
	l := start(t, stripelocal.Options{})
	customer := l.createCustomer().ID
	balance := func() *stripe.CashBalance {
		t.Helper()
		return must[*stripe.CashBalance](t)(l.api.CashBalances.Get(&stripe.CashBalanceParams{Customer: stripe.String(customer)}))
	}
	if b := balance(); b.Available != nil || b.Settings.ReconciliationMode != "automatic" || !b.Settings.UsingMerchantDefault {
		t.Errorf("at first: %+v", b)
	}
	fund := func(amount int64, currency string) (*stripe.CustomerCashBalanceTransaction, error) {
		return l.api.TestHelpersCustomers.FundCashBalance(customer, &stripe.TestHelpersCustomerFundCashBalanceParams{
			Amount: stripe.Int64(amount), Currency: stripe.String(currency), Reference: stripe.String("Invoice 7"),
		})
	}
	first := must[*stripe.CustomerCashBalanceTransaction](t)(fund(5000, "eur"))
	second := must[*stripe.CustomerCashBalanceTransaction](t)(fund(700, "eur"))
	must[*stripe.CustomerCashBalanceTransaction](t)(fund(300, "usd"))
	must[*stripe.CustomerCashBalanceTransaction](t)(fund(300, "mxn"))
	if second.EndingBalance != 5700 || second.NetAmount != 700 || second.Funded.BankTransfer.EUBankTransfer.BIC != "BANKDEAAXXX" || second.Funded.BankTransfer.Reference != "Invoice 7" {
		t.Errorf("%+v", second)
	}
	_, err := fund(100, "chf")
	wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest)
	_, err = fund(0, "eur")
	wantError(t, err, 400, "parameter_invalid_integer", stripe.ErrorTypeInvalidRequest)
	if b := balance(); b.Available["eur"] != 5700 || b.Available["usd"] != 300 {
		t.Errorf("%v is available", b.Available)
	}
	b := must[*stripe.CashBalance](t)(l.api.CashBalances.Update(&stripe.CashBalanceParams{
		Customer: stripe.String(customer), Settings: &stripe.CashBalanceSettingsParams{ReconciliationMode: stripe.String("manual")},
	}))
	if b.Settings.ReconciliationMode != "manual" || b.Settings.UsingMerchantDefault {
		t.Errorf("%+v", b.Settings)
	}
	must[*stripe.CustomerCashBalanceTransaction](t)(l.api.CustomerCashBalanceTransactions.Get(first.ID, &stripe.CustomerCashBalanceTransactionParams{Customer: stripe.String(customer)}))
	_, err = l.api.CustomerCashBalanceTransactions.Get(first.ID, &stripe.CustomerCashBalanceTransactionParams{Customer: stripe.String(l.createCustomer().ID)})
	wantError(t, err, 404, "resource_missing", stripe.ErrorTypeInvalidRequest)
	n := 0
	for it := l.api.CustomerCashBalanceTransactions.List(&stripe.CustomerCashBalanceTransactionListParams{Customer: stripe.String(customer)}); it.Next(); n++ {
	}
	p := &stripe.CustomerParams{}
	p.AddExpand("cash_balance")
	shown := must[*stripe.Customer](t)(l.api.Customers.Get(customer, p))
	if n != 4 || shown.CashBalance.Available["eur"] != 5700 {
		t.Errorf("%d transactions, the customer has %+v", n, shown.CashBalance)
	}
	_, err = l.api.Customers.Del(customer, nil)
	wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest)
	if l.countEvents("cash_balance.funds_available") != 4 || l.countEvents("customer_cash_balance_transaction.created") != 4 {
		t.Error("the events are others")
	}
}
