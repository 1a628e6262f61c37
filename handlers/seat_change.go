package handlers

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/a-h/templ"

	"usher/billing"
	"usher/billing/account"
	billingviews "usher/views/billing"
	"usher/views/layout"
	"usher/views/locale"
	"usher/views/ui"
)

// seatChanges show what a change of seats costs, and make it when it is confirmed.
type seatChanges struct {
	*site
	previews *billing.SeatPreviews
	members  *account.Members
}

// seatsPath shows the members with a notice about a change that was made.
const seatsPath = membersTab + "&change="

// run makes the change of the submitted form, if the form confirms it or if it costs nothing. Any
// other is shown with its amounts, and the same form confirms it. done is where a change without a
// notice of its own leads. Errors: those of the change.
func (s *seatChanges) run(w http.ResponseWriter, r *http.Request, request billing.SeatRequest, done string) error {
	made, err := s.previews.Apply(r.Context(), accessOf(r), request, r.PostFormValue("confirm"))
	var moved *billing.SeatMovedError
	switch {
	case errors.As(err, &moved):
		stateOf(r).err = err
		return s.show(w, r, refusalStatus(err), moved.Preview, request, true)
	case err != nil:
		return err
	case made.ConfirmedAt == nil:
		return s.show(w, r, http.StatusOK, made, request, false)
	case made.Kind == billing.SeatConfirmation:
		redirect(w, r, done)
		return nil
	case made.ID != "" && made.Kind != billing.SeatInvitation:
		done = seatsPath + url.QueryEscape(made.ID)
	}
	showMembers(w, r, done)
	return nil
}

// showMembers leads to the members page. If htmx asks from that page, it replaces the list only, as
// it was searched and paged before.
func showMembers(w http.ResponseWriter, r *http.Request, to string) {
	from, err := url.Parse(r.Header.Get("HX-Current-URL"))
	if !isFragment(r) || err != nil || from.Query().Get("tab") != string(layout.TabMembers) {
		redirect(w, r, to)
		return
	}
	for _, name := range []string{"q", "show", "page"} {
		if value := from.Query().Get(name); value != "" {
			to += "&" + url.Values{name: {value}}.Encode()
		}
	}
	location, err := json.Marshal(map[string]string{"path": to, "target": "#members", "select": "#members", "swap": "outerHTML"})
	if err != nil {
		panic("handlers: encode location: " + err.Error()) // strings always encode
	}
	w.Header().Set("HX-Location", string(location))
	w.WriteHeader(http.StatusOK)
}

// refuse shows in place why a change was refused, for htmx.
func (s *seatChanges) refuse(w http.ResponseWriter, r *http.Request, cause error) error {
	stateOf(r).err = cause
	message := formMessage(r.Context(), cause)
	for _, text := range fieldMessages(r.Context(), cause) {
		message = text
	}
	return render(w, r, http.StatusUnprocessableEntity, ui.Notice(ui.NoticeProps{Tone: ui.Bad, Title: message}))
}

// show shows what a change costs, as a page or in place.
func (s *seatChanges) show(w http.ResponseWriter, r *http.Request, status int, preview billing.SeatPreview, request billing.SeatRequest, moved bool) error {
	props := s.props(r, preview, request)
	props.Moved = moved
	if preview.Kind != billing.SeatCount {
		props.Action, props.Fields = r.URL.Path, submitted(r)
	}
	return s.render(w, r, status, props)
}

func (s *seatChanges) render(w http.ResponseWriter, r *http.Request, status int, props billingviews.SeatChangeProps) error {
	if isFragment(r) {
		if status == http.StatusConflict {
			w.Header().Set("HX-Retarget", "#"+ui.SeatChangeID) // usher.js swaps it although it is an error
		}
		return render(w, r, status, billingviews.SeatBar(props))
	}
	tab := layout.TabMembers
	if props.Kind == billingviews.SeatsCounted || props.Kind == billingviews.PeopleConfirmed {
		tab = layout.TabBilling
	}
	return render(w, r, status, billingviews.SeatChangePage(billingviews.SeatChangePageProps{
		Layout: s.layout(r, layout.SectionOrganization), Organization: organizationHeader(r, tab), Change: props,
	}))
}

// submitted returns the fields of the form, so that the next one confirms the same change.
func submitted(r *http.Request) []ui.Hidden {
	fields := []ui.Hidden{{Name: "organizationId", Value: accessOf(r).Organization.ID}}
	names := make([]string, 0, len(r.PostForm))
	for name := range r.PostForm {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if name == "organizationId" || name == "confirm" {
			continue
		}
		for _, value := range r.PostForm[name] {
			fields = append(fields, ui.Hidden{Name: name, Value: value})
		}
	}
	return fields
}

// props returns the props of a preview.
func (s *seatChanges) props(r *http.Request, p billing.SeatPreview, request billing.SeatRequest) billingviews.SeatChangeProps {
	props := billingviews.SeatChangeProps{
		OrganizationID: accessOf(r).Organization.ID, Kind: seatChangeKind(p, request), Email: p.Email, Seats: max(p.Added(), -p.Added()), Total: p.ToQuantity,
		Reason: seatCostReasons[p.Reason], Unknown: !p.Known, MayContinue: p.MayConfirmUnknown(), ChargedToday: p.ChargedToday(),
		Monthly: s.previews.InvoicedMonthly(p), Tax: p.Tax, Interval: p.Interval, RenewsAt: p.PeriodEnd, NextAt: timeOrZero(p.NextAt),
		EndsAt: timeOrZero(p.EndsAt), Confirm: p.Confirm(), BackHref: membersTab, People: p.Billed, Present: p.FromQuantity,
	}
	if p.Kind == billing.SeatConfirmation {
		props.BackHref = billingPath
	}
	for _, member := range p.Members {
		props.Names = append(props.Names, member.Name)
	}
	if p.Currency == "" {
		return props
	}
	props.DueToday, props.Credit = p.Money(p.AmountDue), p.Money(max(0, -p.InvoiceTotal))
	props.Added, props.PeriodChange, props.NextAmount = p.Money(p.ProrationSum), p.Money(p.PeriodChange), p.Money(p.NextAmount)
	for _, line := range p.Lines {
		props.Lines = append(props.Lines, billingviews.ChangeLine{Text: line.Description, Amount: line.Amount})
	}
	return props
}

var seatCostReasons = map[billing.SeatReason]billingviews.SeatCostReason{
	billing.SeatCharged: billingviews.SeatsHaveAmount, billing.SeatNoPlan: billingviews.SeatsWithoutPlan, billing.SeatFlat: billingviews.SeatsFlat,
	billing.SeatSame: billingviews.SeatsFree, billing.SeatKept: billingviews.SeatsKept, billing.SeatTrial: billingviews.SeatsTrial,
	billing.SeatPaid: billingviews.SeatsPaid, billing.SeatUnpaid: billingviews.SeatsUnpaid, billing.SeatAtRenewal: billingviews.SeatsAtRenewal,
	billing.SeatUnconfirmed: billingviews.SeatsImported,
}

func seatChangeKind(p billing.SeatPreview, request billing.SeatRequest) billingviews.SeatChangeKind {
	switch p.Kind {
	case billing.SeatCount:
		return billingviews.SeatsCounted
	case billing.SeatConfirmation:
		return billingviews.PeopleConfirmed
	case billing.SeatInvitation:
		return billingviews.PersonInvited
	case billing.SeatRemoval:
		return billingviews.PeopleRemoved
	}
	change := request.Change
	takes := change.Billable != nil && !*change.Billable || change.Status != nil && *change.Status == account.MemberSuspended
	switch {
	case takes:
		return billingviews.SeatsTaken
	case change.Billable == nil && change.Status == nil:
		return billingviews.SeatsReassigned
	}
	return billingviews.SeatsAdded
}

// confirmPeople confirms the number of people of an imported organization.
func (s *seatChanges) confirmPeople(w http.ResponseWriter, r *http.Request) error {
	return s.run(w, r, billing.SeatRequest{Kind: billing.SeatConfirmation}, billingPath+"&notice="+noticePeopleConfirmed)
}

// count shows what a number of seats would cost.
func (s *seatChanges) count(w http.ResponseWriter, r *http.Request) error {
	seats, err := strconv.Atoi(r.PostFormValue("seats"))
	if err != nil {
		seats = 0
	}
	request := billing.SeatRequest{Kind: billing.SeatCount, Seats: seats}
	preview, err := s.previews.Preview(r.Context(), accessOf(r), request)
	if err != nil {
		return err
	}
	return s.show(w, r, http.StatusOK, preview, request, false)
}

// changeSelected changes the seats of the selected members, or shows only what that costs.
func (s *seatChanges) changeSelected(w http.ResponseWriter, r *http.Request) error {
	_ = r.PostFormValue("preview") // parses the form
	if r.PostForm.Has("preview") {
		return s.previewSelected(w, r)
	}
	billable := isChecked(r, "billable")
	request := billing.SeatRequest{Kind: billing.SeatMembers, MemberIDs: r.PostForm["member"], Change: account.MemberChange{Billable: &billable}}
	err := s.run(w, r, request, membersTab+"&notice="+noticeMemberChanged)
	if isRefusal(err) && isFragment(r) {
		return s.refuse(w, r, err)
	}
	return err
}

// previewSelected shows what the selected people cost: those without a seat get one, or all lose
// theirs. If some have a seat and some have none, nothing is shown.
func (s *seatChanges) previewSelected(w http.ResponseWriter, r *http.Request) error {
	selected := r.PostForm["member"]
	members, err := s.members.ByKeys(r.Context(), accessOf(r), account.MemberKeys{IDs: selected})
	if err != nil {
		return err
	}
	without, with := 0, 0
	for _, m := range members {
		if m.Billable {
			with++
		} else {
			without++
		}
	}
	r.PostForm.Del("preview") // the form that confirms is another one
	if (without == 0) == (with == 0) {
		return render(w, r, http.StatusOK, templ.NopComponent)
	}
	billable := without > 0
	r.PostForm.Set("billable", strconv.FormatBool(billable))
	request := billing.SeatRequest{Kind: billing.SeatMembers, MemberIDs: selected, Change: account.MemberChange{Billable: &billable}}
	preview, err := s.previews.Preview(r.Context(), accessOf(r), request)
	if isRefusal(err) {
		return s.refuse(w, r, err)
	}
	if err != nil {
		return err
	}
	return s.show(w, r, http.StatusOK, preview, request, false)
}

// undo takes a change back that was made before: at once while it is not sent to Stripe, and with
// the amounts afterwards.
func (s *seatChanges) undo(w http.ResponseWriter, r *http.Request, id string) error {
	made, err := s.previews.Get(r.Context(), accessOf(r), id)
	if err != nil {
		return err
	}
	request, reversible := s.previews.Reverse(made)
	if !reversible {
		return errNotReversible
	}
	return s.run(w, r, request, membersTab+"&notice="+noticeMemberChanged)
}

// saving shows what removing a member's seat today saves.
func (s *seatChanges) saving(w http.ResponseWriter, r *http.Request) error {
	billable := false
	request := billing.SeatRequest{Kind: billing.SeatMembers, MemberIDs: []string{r.PathValue("id")}, Change: account.MemberChange{Billable: &billable}}
	estimate, err := s.previews.Estimate(r.Context(), accessOf(r), request)
	if err != nil {
		return err
	}
	props := s.props(r, estimate, request)
	if isFragment(r) {
		return render(w, r, http.StatusOK, billingviews.SeatSaving(props))
	}
	props.BackHref = "/organization/members/" + url.PathEscape(r.PathValue("id"))
	return s.render(w, r, http.StatusOK, props)
}

// notice describes the change that the query names, with the way to take it back; nil: there is
// none.
func (s *seatChanges) notice(r *http.Request) *ui.NoticeProps {
	id := r.URL.Query().Get("change")
	if id == "" {
		return nil
	}
	made, err := s.previews.Get(r.Context(), accessOf(r), id)
	if err != nil || made.ConfirmedAt == nil {
		return nil
	}
	notice := billingviews.SeatChangeNotice(r.Context(), s.props(r, made, s.requestOf(made)))
	if _, reversible := s.previews.Reverse(made); reversible && accessOf(r).CanManageMembers() {
		notice.Action = &ui.PostButtonProps{
			Action: "/organization/seats/undo",
			Fields: []ui.Hidden{{Name: "organizationId", Value: accessOf(r).Organization.ID}, {Name: "change", Value: made.ID}},
			Button: ui.ButtonProps{Label: locale.T(r.Context(), "Undo"), Kind: ui.Quiet},
		}
	}
	return &notice
}

// requestOf returns what a stored change did, as far as a notice needs it.
func (s *seatChanges) requestOf(made billing.SeatPreview) billing.SeatRequest {
	seated := made.Added() >= 0
	if len(made.Members) > 0 && made.Added() == 0 {
		seated = !made.Members[0].Billable || made.Members[0].Status != account.MemberActive
	}
	return billing.SeatRequest{Kind: made.Kind, Change: account.MemberChange{Billable: &seated}}
}
