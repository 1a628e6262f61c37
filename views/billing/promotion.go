package billing

import (
	"context"

	"usher/billing/catalog"
	"usher/views/locale"
	"usher/views/ui"
)

// PromotionState is what is known about a promotion code from a link.
type PromotionState int

// The states of a promotion code.
const (
	CodeUnknown   PromotionState = iota // no such code, or not any more
	CodeValid                           // Checkout applies it
	CodeUnchecked                       // Stripe did not answer; Checkout decides
	CodeRefused                         // Checkout was not opened because of it
)

// PromotionProps are a promotion code from a link.
type PromotionProps struct {
	Code      string
	State     PromotionState
	Off       string // such as 20% or $10; only if State is CodeValid
	Once      bool   // only the first invoice
	Months    int    // for so many months; 0: without an end, unless Once
	FirstTime bool
	Minimum   catalog.Money // of the order; zero: none
}

func (p PromotionProps) notice(ctx context.Context) ui.NoticeProps {
	switch p.State {
	case CodeValid:
		return ui.NoticeProps{Tone: ui.Good, Title: p.title(ctx), Body: p.body(ctx)}
	case CodeUnchecked:
		return ui.NoticeProps{Tone: ui.Note, Title: locale.T(ctx, "We couldn't check the code %s.", p.Code), Body: locale.T(ctx, "Choose a plan. Checkout applies the code before you pay, or we'll tell you if it can't be used.")}
	case CodeRefused:
		return ui.NoticeProps{Tone: ui.Wait, Title: locale.T(ctx, "The code %s can't be used for this order.", p.Code), Body: locale.T(ctx, "Nothing was charged. Some codes are only for new customers or larger orders. Choose a plan to continue without it.")}
	}
	return ui.NoticeProps{Tone: ui.Wait, Title: locale.T(ctx, "The code %s isn't valid.", p.Code), Body: locale.T(ctx, "It may have expired or be misspelled. You can choose a plan without it.")}
}

func (p PromotionProps) title(ctx context.Context) string {
	switch {
	case p.Once:
		return locale.T(ctx, "%s: %s off your first invoice.", p.Code, p.Off)
	case p.Months > 0:
		return locale.N(ctx, "%[2]s: %[3]s off for %[1]s month.", "%[2]s: %[3]s off for %[1]s months.", p.Months, p.Code, p.Off)
	}
	return locale.T(ctx, "%s: %s off.", p.Code, p.Off)
}

func (p PromotionProps) body(ctx context.Context) string {
	sentences := []string{locale.T(ctx, "Checkout applies it and shows the amount before you pay.")}
	if p.FirstTime {
		sentences = append(sentences, locale.T(ctx, "For first purchases only."))
	}
	if !p.Minimum.IsZero() {
		sentences = append(sentences, locale.T(ctx, "For orders of %s or more.", locale.ShortMoney(ctx, p.Minimum)))
	}
	return ui.Sentences(sentences...)
}

// SendCode sends a code along with every form of the page.
func (p *PricingPageProps) SendCode(code string) {
	p.Code = code
	for i := range p.Plans {
		p.Plans[i].Code = code
	}
}
