package handlers

import (
	"context"
	"net/http"

	devviews "usher/views/dev"
	"usher/views/layout"
)

// Scenarios makes organizations in named states, each once.
type Scenarios interface {
	// List returns all scenarios.
	List(ctx context.Context) ([]devviews.Scenario, error)
	// Enter makes a scenario, unless it exists, and returns who signs in. made is false if it is
	// still being made when ctx ends.
	Enter(ctx context.Context, name, role string) (entrance devviews.Entrance, made bool, err error)
	// MakeAll begins to make every scenario that the plans allow.
	MakeAll() error
}

const scenariosPath = "/dev/scenarios"

// showScenarios shows the scenario board. While something is being made, the page asks again.
func (p *devPages) showScenarios(w http.ResponseWriter, r *http.Request) error {
	scenarios, err := p.scenarios.List(r.Context())
	if err != nil {
		return err
	}
	return render(w, r, http.StatusOK, devviews.ScenariosPage(devviews.ScenariosPageProps{
		Layout: p.layout(r, layout.SectionNone), Scenarios: scenarios, Opening: r.URL.Query().Get("opening"),
	}))
}

// openScenario signs the developer in to a scenario and shows its page. One that is not made within
// the time for an answer is shown on the board, with its progress.
func (p *devPages) openScenario(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), p.answerTimeout)
	defer cancel()
	name := r.PostFormValue("name")
	entrance, made, err := p.scenarios.Enter(ctx, name, r.PostFormValue("as"))
	if err != nil {
		return err
	}
	if !made {
		redirect(w, r, scenariosPath+"?opening="+name+"#"+name)
		return nil
	}
	if err := p.sessions.signIn(r.Context(), entrance.UserID, entrance.OrganizationID, methodPassword); err != nil {
		return err
	}
	redirect(w, r, entrance.Page)
	return nil
}

// makeScenarios begins to make all scenarios.
func (p *devPages) makeScenarios(w http.ResponseWriter, r *http.Request) error {
	if err := p.scenarios.MakeAll(); err != nil {
		return err
	}
	redirect(w, r, scenariosPath)
	return nil
}
