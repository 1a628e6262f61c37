package stripelocal

import (
	"fmt"
	"math/big"
	"time"
)

// prorate leaves two pending items for a change in the middle of a period: what
// is given back of the old, and what the new costs for the rest. A trial costs
// nothing, so there is nothing to prorate in it.
func (a *act) prorate(sub *Subscription, c itemChange, date int64) {
	if sub.Status == "trialing" {
		return
	}
	if c.item != nil {
		a.creditItem(sub, c.item, date)
	}
	if c.price == nil || c.quantity == 0 {
		return
	}
	item := ""
	if c.item != nil {
		item = c.item.ID
	}
	a.addProration(sub, c.price, c.quantity, item, date, share(sub, date, c.price.amount(c.quantity)), "Remaining time on")
}

// creditUnused gives back the rest of the period of every item.
func (a *act) creditUnused(sub *Subscription, date int64) {
	for _, item := range a.items(sub) {
		if sub.Status != "trialing" {
			a.creditItem(sub, item, date)
		}
	}
}

func (a *act) creditItem(sub *Subscription, item *SubscriptionItem, date int64) {
	price, ok := a.state.Prices.get(item.Price)
	if !ok || item.Quantity == 0 {
		return
	}
	a.addProration(sub, price, item.Quantity, item.ID, date, -share(sub, date, price.amount(item.Quantity)), "Unused time on")
}

// share is the part of a period's amount that belongs to the time after a
// moment, by the second, rounded to the minor unit.
func share(sub *Subscription, date, amount int64) int64 {
	length := sub.CurrentPeriodEnd - sub.CurrentPeriodStart
	if length <= 0 {
		return 0
	}
	left := new(big.Rat).SetFrac64(sub.CurrentPeriodEnd-date, length)
	return roundRat(left.Mul(left, new(big.Rat).SetInt64(amount)))
}

func (a *act) addProration(sub *Subscription, p *Price, quantity int64, item string, date, amount int64, words string) {
	a.addInvoiceItem(&InvoiceItem{
		Amount: amount, Currency: sub.Currency, Customer: sub.Customer, PeriodStart: date, PeriodEnd: sub.CurrentPeriodEnd,
		Price: p.ID, Proration: true, Quantity: quantity, Subscription: sub.ID, SubscriptionItem: item,
		Description: fmt.Sprintf("%s %s after %s", words, a.counted(p, quantity), time.Unix(date, 0).UTC().Format("02 Jan 2006")),
	})
}

// counted words a quantity of a price: 5 × Pro.
func (a *act) counted(p *Price, quantity int64) string {
	if quantity == 1 {
		return a.productName(p)
	}
	return fmt.Sprintf("%d × %s", quantity, a.productName(p))
}
