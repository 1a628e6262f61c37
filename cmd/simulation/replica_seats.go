package main

import (
	"context"
	"encoding/json"
	"errors"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/catalog"
)

// shownSeats is what a person is shown of a change of seats before they confirm it. Amounts are in
// the minor unit, times in Unix seconds.
type shownSeats struct {
	ID           string // confirms it
	Kind         billing.SeatRequestKind
	Subscription string // empty: the change costs nothing and has no preview
	Item, Price  string
	Currency     string
	From, To     int64 // the quantity at Stripe
	Proration    string
	ProratedAt   int64 // 0: nothing is prorated
	PeriodEnd    int64
	Reason       billing.SeatReason
	Known        bool  // the amounts are
	Sum          int64 // of the prorations
	Total        int64 // of the invoice that is made at once
	Version      int64 // of the seats, once it is confirmed
}

// The outcomes of a confirmation.
const (
	seatsConfirmed = "confirmed"
	seatsMoved     = "moved"   // refused with a new preview
	seatsRefused   = "refused" // with a message
	seatsUnknown   = ""        // no answer
)

// seatAnswer is the answer to a preview or a confirmation.
type seatAnswer struct {
	Outcome string // empty for a preview
	Shown   shownSeats
	Message string
}

// changeSeats previews, confirms or undoes a change of seats and returns a [seatAnswer] as JSON.
func (r *replica) changeSeats(ctx context.Context, o operation, access account.Access) (string, error) {
	var preview billing.SeatPreview
	var err error
	switch o.Kind {
	case previewSeats:
		if preview, err = r.service.SeatPreviews.Preview(ctx, access, o.Seats); err == nil {
			return encodeAnswer(seatAnswer{Shown: shown(preview)})
		}
	case confirmSeats:
		preview, err = r.service.SeatPreviews.Apply(ctx, access, o.Seats, o.Token)
	case undoSeats:
		preview, err = r.undoSeats(ctx, o, access)
	}
	return answerTo(preview, err)
}

// answerTo returns the answer to a confirmation. An error that is not the program's refusal leaves
// open what happened.
func answerTo(preview billing.SeatPreview, err error) (string, error) {
	var moved *billing.SeatMovedError
	var refused *apperr.Error
	switch {
	case errors.As(err, &moved):
		return encodeAnswer(seatAnswer{Outcome: seatsMoved, Shown: shown(moved.Preview)})
	case errors.As(err, &refused):
		return encodeAnswer(seatAnswer{Outcome: seatsRefused, Message: err.Error()})
	case err != nil:
		return "", err
	case preview.ConfirmedAt == nil:
		return encodeAnswer(seatAnswer{Outcome: seatsMoved, Shown: shown(preview)})
	}
	return encodeAnswer(seatAnswer{Outcome: seatsConfirmed, Shown: shown(preview)})
}

// undoSeats takes a confirmed change back and confirms the amounts of that, if it has any.
func (r *replica) undoSeats(ctx context.Context, o operation, access account.Access) (billing.SeatPreview, error) {
	made, err := r.service.SeatPreviews.Get(ctx, access, o.Token)
	if err != nil {
		return made, err
	}
	request, reversible := r.service.SeatPreviews.Reverse(made)
	if !reversible {
		return made, apperr.Errorf(apperr.CodeConflict, "It can't be undone.")
	}
	undone, err := r.service.SeatPreviews.Apply(ctx, access, request, "")
	if err == nil && undone.ConfirmedAt == nil {
		undone, err = r.service.SeatPreviews.Apply(ctx, access, request, undone.Confirm())
	}
	return undone, err
}

func encodeAnswer(answer seatAnswer) (string, error) {
	encoded, err := json.Marshal(answer)
	return string(encoded), err
}

func shown(p billing.SeatPreview) shownSeats {
	s := shownSeats{
		ID: p.ID, Kind: p.Kind, Subscription: p.SubscriptionID, Item: p.ItemID, Price: p.PriceID, Currency: p.Currency,
		From: int64(p.FromQuantity), To: int64(p.ToQuantity), Proration: string(p.Proration), PeriodEnd: p.PeriodEnd.Unix(),
		Reason: p.Reason, Known: p.Known, Sum: p.ProrationSum, Total: p.InvoiceTotal, Version: p.Version,
	}
	if p.ProratedAt != nil {
		s.ProratedAt = p.ProratedAt.Unix()
	}
	return s
}

// atOnce reports whether the change is invoiced when it is made.
func (s shownSeats) atOnce() bool { return s.Proration == string(catalog.ProrationAlwaysInvoice) }

// costs reports whether the change has an amount that is known.
func (s shownSeats) costs() bool { return s.Known && s.Reason == billing.SeatCharged }
