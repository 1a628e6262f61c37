package main

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/chromedp/chromedp"
)

// invoicesJourney lives through a year and two days with a yearly plan, and opens every invoice.
func invoicesJourney(j *billingJourney) {
	j.subscribe("starter", "year", "4242 4242 4242 4242")
	j.advanceClock("20 days")
	j.changePlan("pro", "year")
	j.agree("the larger plan", agreement{plan: "pro", interval: "year", status: "active", seats: 1})
	j.advanceClock("3 days")
	j.join("Mira Bell")
	j.agree("the second person", agreement{plan: "pro", interval: "year", status: "active", seats: 2})
	j.advanceClock("1 month", "1 year", "2 days")
	at := j.agree("the renewal", agreement{plan: "pro", interval: "year", status: "active", seats: 2})
	invoices := j.invoices(at)
	if len(invoices) != 4 { // the start, the larger plan, the seat, the renewal
		j.t.Fatalf("%d invoices at Stripe, want 4: %+v", len(invoices), invoices)
	}
	j.client().openUntil("the paid renewal", "/billing/invoices", "Renewal", dollars(invoices[0].Total))

	j.openBilling()
	j.see("tab", "#billing-panel table", invoices[0].Number)
	j.goTo("/billing/invoices", "main table")
	j.see("list", "main table", invoices[3].Number)
	j.filterByYear(invoices)
	j.expectCSV(invoices)
	for i, invoice := range invoices {
		j.openInvoice(fmt.Sprintf("invoice-%d", len(invoices)-i), invoice)
	}
	j.agree("after reading", agreement{plan: "pro", interval: "year", status: "active", seats: 2})
}

// filterByYear follows the link of each year. Together they have every invoice.
func (j *billingJourney) filterByYear(invoices []stripeInvoice) {
	j.t.Helper()
	years, err := chromedp.Run(j.tab, chromedp.Evaluate[[]string](
		`[...document.querySelectorAll('nav[aria-label="Year"] a[href*="year="]')].map((a) => a.textContent.trim())`))
	if err != nil || len(years) < 2 {
		j.t.Fatalf("years %q, %v", years, err)
	}
	shown := 0
	for _, year := range years {
		j.press(`nav[aria-label="Year"] a[href$="year=` + year + `"]`)
		j.see("year-"+year, `nav[aria-label="Year"] a[aria-current="page"]`, year)
		rows, err := chromedp.Run(j.tab, chromedp.Evaluate[[]string](
			`[...document.querySelectorAll('main tbody tr td[data-label="Date"]')].map((cell) => cell.textContent.trim())`))
		if err != nil {
			j.t.Fatal(err)
		}
		for _, date := range rows {
			if !strings.HasSuffix(date, year) {
				j.t.Errorf("the invoices of %s have one of %s", year, date)
			}
		}
		shown += len(rows)
	}
	if shown != len(invoices) {
		j.t.Errorf("the years have %d invoices, want %d", shown, len(invoices))
	}
}

// expectCSV downloads the invoices. The lines of each add up to Stripe's amount, and all are
// explained.
func (j *billingJourney) expectCSV(invoices []stripeInvoice) {
	j.t.Helper()
	j.goTo("/billing/invoices", `a[href^="/billing/invoices.csv"]`)
	href, err := chromedp.Run(j.tab, chromedp.AttributeValue(chromedp.CSS(`a[href^="/billing/invoices.csv"]`), "href"))
	if err != nil {
		j.t.Fatal(err)
	}
	response, err := j.client().http.Get(j.server.url + href.Value)
	if err != nil {
		j.t.Fatal(err)
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	records, err := csv.NewReader(strings.NewReader(string(body))).ReadAll()
	if err != nil || len(records) < 2 {
		j.t.Fatalf("%v, %s", err, body)
	}
	column := map[string]int{}
	for i, name := range records[0] {
		column[name] = i
	}
	sums := map[string]float64{}
	for _, record := range records[1:] {
		amount, err := strconv.ParseFloat(record[column["amount"]], 64)
		if err != nil || record[column["explained"]] != "true" {
			j.t.Errorf("line %q, %v", record, err)
		}
		sums[record[column["invoice"]]] += amount
	}
	for _, invoice := range invoices {
		if got := int(math.Round(sums[invoice.Number] * 100)); got != invoice.Total {
			j.t.Errorf("the lines of %s add up to %d, want %d", invoice.Number, got, invoice.Total)
		}
	}
}

// openInvoice opens an invoice by its link in the list: every line has a reason, and the documents
// are Stripe's.
func (j *billingJourney) openInvoice(name string, invoice stripeInvoice) {
	j.t.Helper()
	j.goTo("/billing/invoices", "main table")
	j.press(`a[aria-label="Open invoice ` + invoice.Number + `"]`)
	j.see(name, "main", "100% explained.")
	j.expectTexts("main", "Invoice "+invoice.Number, dollars(invoice.Total), "Paid")
	j.do("unfold the reasons", click("main details summary"))
	j.see(name+"-reasons", "main details[open]", "On Stripe's invoice:")
	for document, kind := range map[string]string{"stripe": "text/html", "pdf": "application/pdf"} {
		response, err := j.client().http.Get(j.server.url + "/billing/invoices/" + invoice.ID + "/" + document)
		if err != nil {
			j.t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusOK || !strings.HasPrefix(response.Header.Get("Content-Type"), kind) {
			j.t.Errorf("%s of %s: %s, %s", document, invoice.Number, response.Status, response.Header.Get("Content-Type"))
		}
	}
}

// checkoutJourney buys with everything that Checkout can ask for: by a link with a promotion code
// and a number of people, a pack with the saved card, and one by bank debit. A second organization
// tries a plan without a card.
func checkoutJourney(j *billingJourney) {
	code := "SPRING" + map[bool]string{true: "JS", false: "PLAIN"}[j.scripts]
	coupon := j.postToStripe("/v1/coupons", url.Values{"percent_off": {"10"}, "duration": {"forever"}})
	j.postToStripe("/v1/promotion_codes", url.Values{"coupon": {coupon}, "code": {code}})

	j.goTo("/pricing?interval=month&seats=4&code="+code, "h1")
	j.see("pricing", "main", code+": 10% off")
	j.press(`form[action="/billing/checkout"]:has(input[value="pro"]) button`)
	j.see("sign-up", `form[action="/signup"]`, "a month for 4")
	j.expectTexts("main", code, "$116", "You start with $29.00.")
	j.do("sign up", fillSignUp(j.founder)...)
	j.do("Checkout", waitVisible(`input[name="cardNumber"]`))
	j.see("checkout", `input[name="termsOfService"]`, "Discount")
	j.do("enter the address", typeInto("line1", "Hauptstraße 1"), typeInto("postal_code", "10115"), typeInto("city", "Berlin"),
		typeInto("country", "DE"), typeInto("businessName", "Balcony Books GmbH"), typeInto("taxId", "DE123456789"))
	j.do("pay without consent", enterCard("4242 4242 4242 4242", `button[value="pay"]`)...)
	j.see("without-consent", `#termsOfService-error`, "Agree to the terms of service")
	j.do("consent", click(`input[name="termsOfService"]`))
	j.fillEmpty("cardNumber=4242 4242 4242 4242", "cardExpiry=12/34", "cardCvc=123", "billingName=Nora Njoroge")
	j.do("pay", click(`button[value="pay"]`))
	j.see("ticket", "#billing-panel", "With your promotion code.")
	j.expectTexts("#billing-panel", "$26.10", "Pro, monthly", "You planned for 4 people; 3 to go.")
	pro := agreement{plan: "pro", interval: "month", status: "active", seats: 1}
	at := j.agree("the purchase", pro)
	j.expectInvoiced("the purchase", "$26.10", at)
	j.expectTaxID(at.Customer)
	j.inviteThePlanned()
	j.agree("the invitations", pro)

	j.buyPack("saved-card", func() { j.do("pay", click(`button[value="pay"]`)) })
	j.see("pack-bought", "#billing-panel", "500 credits are yours")
	j.agree("the pack", pro)
	j.expectCredits(1500)
	j.payByBank()
	j.agree("the second pack", pro)

	j.tryWithoutCard()
}

// fillEmpty fills in the NAME=value fields that are empty.
func (j *billingJourney) fillEmpty(fields ...string) {
	j.t.Helper()
	for _, field := range fields {
		name, value, _ := strings.Cut(field, "=")
		present, err := chromedp.Run(j.tab, chromedp.Value(chromedp.CSS(`input[name="`+name+`"]`)))
		if err != nil {
			j.fail(name, err)
		}
		if present == "" {
			j.do("enter "+name, typeInto(name, value))
		}
	}
}

// expectTaxID requires that the customer has what was entered at Checkout.
func (j *billingJourney) expectTaxID(customer string) {
	j.t.Helper()
	var stored struct {
		Name    string
		Address struct{ Country, City string }
	}
	j.getFromStripe("/v1/customers/"+customer, &stored)
	var taxIDs struct {
		Data []struct{ Type, Value string }
	}
	j.getFromStripe("/v1/customers/"+customer+"/tax_ids", &taxIDs)
	if stored.Name != "Balcony Books GmbH" || stored.Address.Country != "DE" || stored.Address.City != "Berlin" ||
		len(taxIDs.Data) != 1 || taxIDs.Data[0].Value != "DE123456789" {
		j.t.Errorf("the customer is %+v with tax ids %+v", stored, taxIDs)
	}
}

// inviteThePlanned sends the invitations that the page after Checkout offers.
func (j *billingJourney) inviteThePlanned() {
	j.t.Helper()
	const field = `form[action="/organization/people"] input[name="email"]`
	for i := range 3 {
		j.do("type an address", typeAt(fmt.Sprintf("#email-%d", i), fmt.Sprintf("guest%d.%s", i, j.founder)))
	}
	if n, err := chromedp.Run(j.tab, chromedp.Evaluate[int](`document.querySelectorAll('`+field+`').length`)); err != nil || n != 3 {
		j.t.Errorf("%d fields for addresses, want 3 (%v)", n, err)
	}
	j.press(`form[action="/organization/people"] button`)
	j.see("people-invited", "main", "The invitations are on their way.")
	j.expectTexts("main", "guest0."+j.founder, "guest1."+j.founder, "guest2."+j.founder)
}

// buyPack opens Checkout for a pack and agrees to the terms. The saved card is offered there.
func (j *billingJourney) buyPack(name string, pay func()) {
	j.t.Helper()
	j.goTo("/pricing", "#packs")
	j.press(`form[action="/billing/checkout"]:has(input[name="pack"]) button`)
	j.see(name, `input[name="savedCard"]`, "visa ending in 4242")
	j.fillEmpty("line1=Hauptstraße 1", "postal_code=10115", "city=Berlin", "country=DE")
	j.do("consent", click(`input[name="termsOfService"]`))
	pay()
	j.do("return", waitVisible("#billing-panel"))
}

// payByBank buys a pack by bank debit, whose money comes days later.
func (j *billingJourney) payByBank() {
	j.t.Helper()
	j.buyPack("bank-debit", func() {
		j.do("pay by bank", click(`input[name="payBy"][value="bank"]`), typeInto("bankAccount", "000123456789"),
			typeInto("billingName", "Nora Njoroge"), click(`button[value="pay"]`))
	})
	j.see("processing", "#billing-panel", "Your payment is being processed.")
	j.expectTexts("#billing-panel", "Your credits arrive as soon as the payment does.")
	j.expectCredits(1500)
	j.advanceClock("5 days")
	j.expectCredits(2000)
	j.openBilling()
	j.see("settled", "#billing-panel", "2,000")
}

// expectCredits waits for a balance.
func (j *billingJourney) expectCredits(want int) {
	j.t.Helper()
	c := j.client()
	eventually(j.t, fmt.Sprintf("%d credits, there are %d", want, c.entitlements().Credits.Balance), func() bool {
		return c.entitlements().Credits.Balance == want
	})
}

// tryWithoutCard signs up another organization for a plan whose trial needs no card.
func (j *billingJourney) tryWithoutCard() {
	j.t.Helper()
	j.logOut()
	j.goTo("/pricing?interval=month&seats=2", "h1")
	j.see("trial-pricing", "main", "14-day free trial")
	j.press(`form[action="/billing/checkout"]:has(input[value="starter"]) button`)
	j.do("sign up", fillSignUp("trial."+j.founder)...)
	j.see("trial-checkout", `input[name="termsOfService"]`, "Local Stripe")
	if j.has(`input[name="cardNumber"]`) {
		j.t.Error("Checkout asks for a card")
	}
	j.do("start the trial", typeInto("line1", "Nebenstraße 2"), typeInto("postal_code", "10115"), typeInto("city", "Berlin"),
		typeInto("country", "DE"), click(`input[name="termsOfService"]`), click(`button[value="pay"]`))
	j.see("trial-ticket", "#billing-panel", "Your trial has started.")
	j.expectTexts("#billing-panel", "Nothing charged", "You planned for 2 people; 1 to go. Nothing is charged until your trial ends on")
	at := j.agree("the trial", agreement{plan: "starter", interval: "month", status: "trialing", seats: 1})
	j.openBilling()
	j.see("trial", "#billing-panel", "there is no card on file")
	j.goTo("/billing/next-invoice", "#next-invoice")
	j.see("trial-first-payment", "#next-invoice p.text-figure", j.upcoming(at))
	j.expectTexts("#next-invoice", "First payment", "$10.71", "Tax", "$1.71")
}
