package stripelocal_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stripe/stripe-go/v79"
	"github.com/stripe/stripe-go/v79/client"

	"usher/stripelocal"
)

const onePagePDF = "%PDF-1.4\n1 0 obj\n<< >>\nendobj\n"

func (l *testServer) upload(name, purpose, contents string, more ...func(*stripe.FileParams)) (*stripe.File, error) {
	p := &stripe.FileParams{Purpose: stripe.String(purpose), Filename: stripe.String(name), FileReader: strings.NewReader(contents)}
	for _, change := range more {
		change(p)
	}
	return l.api.Files.New(p)
}

// download returns the status, the media type and the body at an address.
func (l *testServer) download(address, key string) (int, string, string) {
	l.t.Helper()
	req, err := http.NewRequestWithContext(l.t.Context(), http.MethodGet, address, nil)
	if err != nil {
		l.t.Fatal(err)
	}
	req.SetBasicAuth(key, "")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		l.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		l.t.Fatal(err)
	}
	return res.StatusCode, res.Header.Get("Content-Type"), string(body)
}

func TestFilesAreStoredAndServed(t *testing.T) {
	l := start(t, stripelocal.Options{})
	f := must[*stripe.File](t)(l.upload("receipt.pdf", "dispute_evidence", onePagePDF, func(p *stripe.FileParams) {
		p.FileLinkData = &stripe.FileFileLinkDataParams{Create: stripe.Bool(true), Metadata: map[string]string{"order": "1"}}
	}))
	if f.Type != "pdf" || f.Size != int64(len(onePagePDF)) || f.Filename != "receipt.pdf" || f.ExpiresAt != f.Created+270*24*60*60 || len(f.Links.Data) != 1 || f.Links.Data[0].Metadata["order"] != "1" {
		t.Errorf("%+v", f)
	}
	if status, media, body := l.download(f.URL, testKey); status != 200 || media != "application/pdf" || body != onePagePDF {
		t.Errorf("%d %s %q", status, media, body)
	}
	if status, _, _ := l.download(f.URL, "sk_test_none"); status == 401 {
		t.Error("a key of twelve characters is refused")
	}
	if status, _, _ := l.download(f.URL, ""); status != 401 {
		t.Errorf("without a key: %d", status)
	}
	link := f.Links.Data[0]
	if status, media, body := l.download(link.URL, ""); status != 200 || media != "application/pdf" || body != onePagePDF {
		t.Errorf("%d %s %q", status, media, body)
	}
	link = must[*stripe.FileLink](t)(l.api.FileLinks.Update(link.ID, &stripe.FileLinkParams{ExpiresAtNow: stripe.Bool(true)}))
	if status, _, _ := l.download(l.url+"/links/"+link.ID, ""); !link.Expired || link.URL != "" || status != 404 {
		t.Errorf("an expired link: %+v, %d", link, status)
	}
	_, err := l.api.FileLinks.Update(link.ID, &stripe.FileLinkParams{ExpiresAt: stripe.Int64(l.time.Load() + 60)})
	wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest)
	if it := l.api.Files.List(&stripe.FileListParams{Purpose: stripe.String("business_logo")}); it.Next() {
		t.Error("the list does not filter by purpose")
	}
	_, err = l.api.Files.Get("file_none", nil)
	wantError(t, err, 404, "resource_missing", stripe.ErrorTypeInvalidRequest)
	wantEvents(t, l, "file.created")
	l.time.Add(270 * 24 * 60 * 60)
	if status, _, _ := l.download(f.URL, testKey); status != 404 {
		t.Errorf("an expired file: %d", status)
	}
}

func TestFilesOfTheWrongTypeAreRefused(t *testing.T) {
	l := start(t, stripelocal.Options{})
	for name, wrong := range map[string]struct{ file, purpose, contents string }{
		"text":          {"receipt.pdf", "dispute_evidence", "not a PDF"},
		"empty":         {"receipt.pdf", "dispute_evidence", ""},
		"too large":     {"logo.png", "business_logo", "\x89PNG\r\n\x1a\n" + strings.Repeat("x", 512<<10)},
		"PDF as a logo": {"logo.png", "business_logo", onePagePDF},
	} {
		if _, err := l.upload(wrong.file, wrong.purpose, wrong.contents); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	l.post(400, "/v1/files", "file=x&purpose=dispute_evidence") // no multipart form
	hidden := must[*stripe.File](t)(l.upload("passport.png", "identity_document", "\x89PNG\r\n\x1a\n"))
	_, err := l.api.FileLinks.New(&stripe.FileLinkParams{File: stripe.String(hidden.ID)})
	wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest)
}

// An upload under an idempotency key is one upload, whatever its boundary.
func TestUploadsAreIdempotent(t *testing.T) {
	l := start(t, stripelocal.Options{})
	key := func(p *stripe.FileParams) { p.IdempotencyKey = stripe.String("upload-1") }
	first := must[*stripe.File](t)(l.upload("a.pdf", "dispute_evidence", onePagePDF, key))
	again := must[*stripe.File](t)(l.upload("a.pdf", "dispute_evidence", onePagePDF, key))
	if first.ID != again.ID {
		t.Errorf("%s, then %s", first.ID, again.ID)
	}
	_, err := l.upload("a.pdf", "dispute_evidence", onePagePDF+"\n", key)
	wantError(t, err, 400, "", stripe.ErrorTypeIdempotency)
}

func TestEvidenceNamesFiles(t *testing.T) {
	l := start(t, stripelocal.Options{})
	pi := must[*stripe.PaymentIntent](t)(l.api.PaymentIntents.New(&stripe.PaymentIntentParams{
		Amount: stripe.Int64(900), Currency: stripe.String("usd"), Confirm: stripe.Bool(true), PaymentMethod: stripe.String("pm_card_createDispute"), ReturnURL: stripe.String("https://app.test/"),
	}))
	it := l.api.Disputes.List(&stripe.DisputeListParams{PaymentIntent: stripe.String(pi.ID)})
	if !it.Next() {
		t.Fatal("no dispute is open")
	}
	answer := func(file string) (*stripe.Dispute, error) {
		p := &stripe.DisputeParams{Submit: stripe.Bool(false), Evidence: &stripe.DisputeEvidenceParams{Receipt: stripe.String(file)}}
		p.AddExpand("evidence.receipt")
		return l.api.Disputes.Update(it.Dispute().ID, p)
	}
	_, err := answer("file_none")
	wantError(t, err, 400, "resource_missing", stripe.ErrorTypeInvalidRequest)
	logo := must[*stripe.File](t)(l.upload("logo.png", "business_logo", "\x89PNG\r\n\x1a\n"))
	_, err = answer(logo.ID)
	wantError(t, err, 400, "", stripe.ErrorTypeInvalidRequest)
	receipt := must[*stripe.File](t)(l.upload("receipt.pdf", "dispute_evidence", onePagePDF))
	d := must[*stripe.Dispute](t)(answer(receipt.ID))
	if d.Evidence.Receipt.ID != receipt.ID || d.Evidence.Receipt.Filename != "receipt.pdf" {
		t.Errorf("%+v", d.Evidence.Receipt)
	}
}

// A state file keeps the contents.
func TestFilesOutliveARestart(t *testing.T) {
	path := t.TempDir() + "/state.json"
	l := start(t, stripelocal.Options{StatePath: path})
	logo := "\x89PNG\r\n\x1a\n" + string(bytes.Repeat([]byte{0, 0xff}, 1000))
	f := must[*stripe.File](t)(l.upload("logo.png", "business_logo", logo))
	link := must[*stripe.FileLink](t)(l.api.FileLinks.New(&stripe.FileLinkParams{File: stripe.String(f.ID)}))
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := start(t, stripelocal.Options{StatePath: path})
	if status, media, body := again.download(again.url+"/links/"+link.ID, ""); status != 200 || media != "image/png" || body != logo {
		t.Errorf("%d %s %d bytes", status, media, len(body))
	}
}

// The page of a link finds the account of its file.
func TestALinkBelongsToAnAccount(t *testing.T) {
	l := start(t, stripelocal.Options{})
	backend := stripe.GetBackendWithConfig(stripe.APIBackend, &stripe.BackendConfig{URL: stripe.String(l.url), MaxNetworkRetries: stripe.Int64(0)})
	alpha := client.New(keyAlpha, &stripe.Backends{API: backend, Connect: backend, Uploads: backend})
	f := must[*stripe.File](t)(alpha.Files.New(&stripe.FileParams{Purpose: stripe.String("dispute_evidence"), Filename: stripe.String("a.pdf"), FileReader: strings.NewReader(onePagePDF)}))
	link := must[*stripe.FileLink](t)(alpha.FileLinks.New(&stripe.FileLinkParams{File: stripe.String(f.ID)}))
	if status, _, body := l.download(link.URL, ""); status != 200 || body != onePagePDF {
		t.Errorf("%d %q", status, body)
	}
	if status, _, _ := l.download(f.URL, testKey); status != 404 {
		t.Errorf("with the key of another account: %d", status)
	}
	key := must[*stripe.EphemeralKey](t)(alpha.EphemeralKeys.New(&stripe.EphemeralKeyParams{
		Customer: stripe.String(l.create(keyAlpha, "/v1/customers", nil)), StripeVersion: stripe.String(stripelocal.APIVersion),
	}))
	if status, body := l.call(key.Secret, "GET", "/v1/customers", nil); status != 403 {
		t.Errorf("an ephemeral key of the account: %d %s", status, body)
	}
}
