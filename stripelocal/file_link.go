package stripelocal

import (
	"mime"
	"net/http"

	"usher/stripelocal/wire"
)

// FileLink is a public address of a file's contents.
type FileLink struct {
	Base
	File      string
	ExpiresAt int64
	Metadata  map[string]string
}

// fileLinks serves /v1/file_links.
type fileLinks struct{ *request }

func fileLinkResource() resource {
	return resource{
		objectType: "file_link",
		render:     renderFrom(func(s *store) *table[*FileLink] { return s.FileLinks }, bind(fileLinks.render)),
		routes: []route{
			on("POST /v1/file_links", "file! expires_at:time metadata:map?", fileLinks.create),
			on("GET /v1/file_links", listParams+"file expired:bool", fileLinks.list),
			on("GET /v1/file_links/{id}", "", fileLinks.get),
			on("POST /v1/file_links/{id}", "expires_at:when? metadata:map?", fileLinks.update),
		},
	}
}

func (h fileLinks) create(in *input) (any, error) {
	x, ok := h.store.Files.get(in.String("file"))
	if !ok {
		return nil, wire.NoSuch("file", in.String("file"), "file")
	}
	if err := h.check(x, in.Params); err != nil {
		return nil, err
	}
	return h.render(h.insert(x, in.Params)), nil
}

// check rejects a link to a file of a purpose that has none (API reference: create a file link),
// and a link that has expired already (the wordings are inferred).
func (h fileLinks) check(x *File, p wire.Params) error {
	switch {
	case !filePurposes()[x.Purpose].linkable:
		return wire.Invalid("", "file", "You cannot create a link to a file with the purpose "+x.Purpose+".")
	case p.Has("expires_at") && p.String("expires_at") != "" && p.String("expires_at") != "now" && p.Int("expires_at") <= h.now:
		return wire.Invalid("", p.Name("expires_at"), "The time must be in the future.")
	}
	return nil
}

func (h fileLinks) insert(x *File, p wire.Params) *FileLink {
	link := &FileLink{Base: Base{ID: h.ids.longID("link_1"), Created: h.now}, File: x.ID, ExpiresAt: p.Int("expires_at"), Metadata: p.Metadata()}
	h.store.FileLinks.insert(link)
	return link
}

func (h fileLinks) find(in *input) (*FileLink, error) {
	link, ok := h.store.FileLinks.get(in.pathValue("id"))
	if !ok {
		return nil, wire.NotFound("file link", in.pathValue("id"), "link")
	}
	return link, nil
}

func (h fileLinks) get(in *input) (any, error) {
	link, err := h.find(in)
	if err != nil {
		return nil, err
	}
	return h.render(link), nil
}

// update changes when a link expires. One that has expired stays so (API reference: update a file
// link; the wording is inferred).
func (h fileLinks) update(in *input) (any, error) {
	link, err := h.find(in)
	if err != nil {
		return nil, err
	}
	x, _ := h.store.Files.get(link.File)
	if err := h.check(x, in.Params); err != nil {
		return nil, err
	}
	if in.Has("expires_at") && link.expired(h.now) {
		return nil, wire.Invalid("", "expires_at", "The file link has already expired.")
	}
	in.SetInt("expires_at", &link.ExpiresAt)
	if in.String("expires_at") == "now" {
		link.ExpiresAt = h.now
	}
	in.SetMetadata(&link.Metadata)
	return h.render(link), nil
}

func (h fileLinks) list(in *input) (any, error) {
	rows := h.store.FileLinks.all
	if in.Has("file") {
		rows = h.store.FileLinks.by("file", in.String("file"))
	}
	return listing[*FileLink]{
		resource: "file link", table: h.store.FileLinks, rows: rows,
		filter: func(link *FileLink) bool { return !in.Has("expired") || link.expired(h.now) == in.Bool("expired") },
		render: h.render,
	}.page(in)
}

func (link *FileLink) expired(now int64) bool { return link.ExpiresAt != 0 && now >= link.ExpiresAt }

func (h fileLinks) render(link *FileLink) wire.Object {
	var url any = h.origin + "/links/" + link.ID
	if link.expired(h.now) {
		url = nil
	}
	return wire.Object{
		"id": link.ID, "object": "file_link", "created": link.Created, "expired": link.expired(h.now), "expires_at": wire.IntOrNull(link.ExpiresAt),
		"file": wire.Ref("file", link.File), "livemode": false, "metadata": link.Metadata, "url": url,
	}
}

// fileLink serves the url of a link. The headers keep a file from acting as a page of this origin.
func (p hostedPages) fileLink(w http.ResponseWriter, req *http.Request) {
	var found *File
	_ = p.transact(requestInfo{}, func(r *request) error {
		if link, ok := r.store.FileLinks.get(req.PathValue("id")); ok && !link.expired(r.now) {
			if x, ok := r.store.Files.get(link.File); ok && !x.expired(r.now) {
				shown := *x
				found = &shown
			}
		}
		return nil
	})
	if found == nil {
		p.notFound(w)
		return
	}
	h := w.Header()
	h.Set("Content-Type", found.contentType())
	h.Set("Content-Disposition", mime.FormatMediaType("inline", map[string]string{"filename": found.Filename}))
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'; style-src 'unsafe-inline'")
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(found.Contents)
}
