package billing

import (
	"usher/billing/catalog"
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

func (p PromotionProps) notice() ui.NoticeProps {
	switch p.State {
	case CodeValid:
		return ui.NoticeProps{Tone: ui.Good, Title: p.Code + ": " + p.Off + " off" + p.duration() + ".", Body: "Checkout applies it and shows the amount before you pay." + p.limits()}
	case CodeUnchecked:
		return ui.NoticeProps{Tone: ui.Note, Title: "We couldn't check the code " + p.Code + ".", Body: "Choose a plan. Checkout applies the code before you pay, or we'll tell you if it can't be used."}
	case CodeRefused:
		return ui.NoticeProps{Tone: ui.Wait, Title: "The code " + p.Code + " can't be used for this order.", Body: "Nothing was charged. Some codes are only for new customers or larger orders. Choose a plan to continue without it."}
	}
	return ui.NoticeProps{Tone: ui.Wait, Title: "The code " + p.Code + " isn't valid.", Body: "It may have expired or be misspelled. You can choose a plan without it."}
}

func (p PromotionProps) duration() string {
	switch {
	case p.Once:
		return " your first invoice"
	case p.Months > 0:
		return " for " + ui.Plural(p.Months, "month", "months")
	}
	return ""
}

func (p PromotionProps) limits() string {
	text := ""
	if p.FirstTime {
		text += " For first purchases only."
	}
	if !p.Minimum.IsZero() {
		text += " For orders of " + p.Minimum.FormatShort() + " or more."
	}
	return text
}

// SendCode sends a code along with every form of the page.
func (p *PricingPageProps) SendCode(code string) {
	p.Code = code
	for i := range p.Plans {
		p.Plans[i].Code = code
	}
}
