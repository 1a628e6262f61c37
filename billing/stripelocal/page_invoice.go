package stripelocal

import "net/http"

// invoicePage is the hosted invoice.
type invoicePage struct {
	pageBase
	Status, Date, Total, Due string
	Lines                    []pageLine
}

func (s *Server) showInvoice(w http.ResponseWriter, req *http.Request) {
	var page invoicePage
	found := false
	_ = s.perform(cause{}, func(a *act) error {
		inv, ok := a.state.Invoices.get(req.PathValue("id"))
		if found = ok && inv.FinalizedAt != 0; found {
			page = a.invoicePage(inv)
		}
		return nil
	})
	if !found {
		s.notFoundPage(w)
		return
	}
	s.render(w, http.StatusOK, "invoice", page)
}

func (a *act) invoicePage(inv *Invoice) invoicePage {
	p := invoicePage{
		pageBase: a.base("Invoice " + inv.Number), Status: inv.Status, Date: day(inv.Created),
		Total: formatAmount(inv.total(), inv.Currency), Due: formatAmount(inv.remaining(), inv.Currency),
	}
	for _, l := range inv.Lines {
		p.Lines = append(p.Lines, pageLine{Name: l.Description, Amount: formatAmount(l.Amount, inv.Currency)})
	}
	return p
}
