package handlers

import (
	"net/http"

	"usher/billing/account"
	"usher/billing/apperr"
	"usher/views/layout"
	organizationviews "usher/views/organization"
)

// domainPages list, verify and remove the domains by which people join the organization.
type domainPages struct {
	*site
	domains *account.Domains
}

const domainsPath = "/organization/domains"

func (p *domainPages) list(w http.ResponseWriter, r *http.Request) error {
	return p.renderPage(w, r, http.StatusOK, organizationviews.DomainsPageProps{Billable: true})
}

// renderPage adds the domains to what the page shows of a form.
func (p *domainPages) renderPage(w http.ResponseWriter, r *http.Request, status int, props organizationviews.DomainsPageProps) error {
	domains, err := p.domains.List(r.Context(), accessOf(r))
	if err != nil {
		return err
	}
	props.Layout, props.Organization = p.layout(r, layout.SectionOrganization), organizationHeader(r, layout.TabGeneral)
	props.Provider = p.identityProvider()
	for _, d := range domains {
		row := organizationviews.DomainRow{
			ID: d.ID, Name: d.Name, Shown: account.DisplayDomain(d.Name), RecordName: d.RecordName(), RecordValue: d.RecordValue(), Billable: d.Billable,
			CreatedBy: d.CreatedBy, CreatedAt: d.CreatedAt, VerifiedAt: timeOrZero(d.VerifiedAt),
		}
		if d.ID == r.PathValue("id") {
			row.Error, props.CheckError = props.CheckError, ""
		}
		props.Domains = append(props.Domains, row)
	}
	return render(w, r, status, organizationviews.DomainsPage(props))
}

func (p *domainPages) add(w http.ResponseWriter, r *http.Request) error {
	form := organizationviews.DomainsPageProps{Name: r.PostFormValue("domain"), Billable: isChecked(r, "billable")}
	_, err := p.domains.Add(r.Context(), accessOf(r), form.Name, form.Billable)
	if invalid := fieldMessages(r.Context(), err); len(invalid) > 0 {
		form.Error = invalid["domain"]
		return p.renderPage(w, r, refusalStatus(err), form)
	}
	if err != nil {
		return err
	}
	redirect(w, r, domainsPath)
	return nil
}

// check looks up the record of a domain. The page says why it is not verified.
func (p *domainPages) check(w http.ResponseWriter, r *http.Request) error {
	err := p.domains.Check(r.Context(), accessOf(r), r.PathValue("id"))
	switch apperr.CodeOf(err) {
	case "":
		redirect(w, r, domainsPath+"?notice="+noticeDomainVerified)
		return nil
	case apperr.CodeConflict:
		stateOf(r).err = err
		return p.renderPage(w, r, refusalStatus(err), organizationviews.DomainsPageProps{Billable: true, CheckError: messageIn(r.Context(), err)})
	}
	return err
}

func (p *domainPages) update(w http.ResponseWriter, r *http.Request) error {
	if err := p.domains.SetBillable(r.Context(), accessOf(r), r.PathValue("id"), isChecked(r, "billable")); err != nil {
		return err
	}
	redirect(w, r, domainsPath+"?notice="+noticeDomainSaved)
	return nil
}

func (p *domainPages) remove(w http.ResponseWriter, r *http.Request) error {
	if err := p.domains.Remove(r.Context(), accessOf(r), r.PathValue("id")); err != nil {
		return err
	}
	redirect(w, r, domainsPath+"?notice="+noticeDomainRemoved)
	return nil
}
