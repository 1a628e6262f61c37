package stripelocal

import (
	"cmp"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"

	"usher/stripelocal/wire"
)

// maxStoredFiles limits the contents of all files of an account, in bytes, because the state file
// contains them.
const maxStoredFiles = 32 << 20

// File is an uploaded file with its contents.
type File struct {
	Base
	Contents  []byte
	Filename  string
	Purpose   string
	Type      string // such as pdf
	Size      int    // of the contents, which are dropped when the file expires
	ExpiresAt int64
}

// filePurpose is what a purpose allows (docs: file upload guide). Times and sizes are seconds and
// bytes.
type filePurpose struct {
	types    []string
	maxSize  int
	lifetime int64 // 0 is without end
	linkable bool
}

// filePurposes are the purposes that matter to an account without Connect, Issuing and Terminal.
// The types and sizes of pci_document, tax_document_user_upload and additional_verification are
// inferred.
func filePurposes() map[string]filePurpose {
	const kilobyte, megabyte, day = 1 << 10, 1 << 20, 24 * 60 * 60
	documents, images := []string{"pdf", "jpg", "png"}, []string{"jpg", "png", "gif"}
	return map[string]filePurpose{
		"account_requirement":      {documents, 16 * megabyte, 0, false},
		"additional_verification":  {documents, 16 * megabyte, 0, false},
		"business_icon":            {images, 512 * kilobyte, 0, true},
		"business_logo":            {images, 512 * kilobyte, 0, true},
		"customer_signature":       {[]string{"jpg", "png", "svg"}, 4 * megabyte, 7 * day, true},
		"dispute_evidence":         {documents, 5 * megabyte, 270 * day, true},
		"identity_document":        {documents, 16 * megabyte, 0, false},
		"pci_document":             {[]string{"pdf"}, 16 * megabyte, 0, true},
		"tax_document_user_upload": {[]string{"pdf", "jpg", "png", "gif", "csv", "docx", "xls", "xlsx"}, 16 * megabyte, 0, true},
	}
}

// files serves /v1/files.
type files struct{ *request }

func fileResource() resource {
	const purposes = "account_requirement|additional_verification|business_icon|business_logo|customer_signature|dispute_evidence|identity_document|pci_document|tax_document_user_upload"
	return resource{
		objectType: "file",
		render:     renderFrom(func(s *store) *table[*File] { return s.Files }, bind(files.render)),
		routes: []route{
			on("POST /v1/files", "file! purpose:"+purposes+"! file_link_data{create:bool! expires_at:time metadata:map?}", files.create),
			on("GET /v1/files", listParams+"purpose:"+purposes, files.list),
			on("GET /v1/files/{id}", "", files.get),
			on("GET /v1/files/{id}/contents", "", files.contents),
		},
	}
}

// create stores the file of a multipart form. The wordings are inferred.
func (h files) create(in *input) (any, error) {
	x := &File{
		Base: Base{ID: h.ids.longID("file_1"), Created: h.now}, Contents: in.upload, Filename: in.String("file"), Purpose: in.String("purpose"),
		Type: fileType(in.String("file"), in.upload), Size: len(in.upload),
	}
	purpose := filePurposes()[x.Purpose]
	switch {
	case len(x.Contents) == 0:
		return nil, wire.Invalid("", "file", "The file is empty.")
	case !slices.Contains(purpose.types, x.Type):
		return nil, wire.Invalid("", "file", "A file with the purpose "+x.Purpose+" must have one of these types: "+strings.Join(purpose.types, ", ")+".")
	case len(x.Contents) > purpose.maxSize:
		return nil, wire.Invalid("", "file", fmt.Sprintf("A file with the purpose %s can have at most %d bytes, and this one has %d.", x.Purpose, purpose.maxSize, len(x.Contents)))
	case h.storedBytes()+len(x.Contents) > maxStoredFiles:
		return nil, wire.Invalid("", "file", fmt.Sprintf("This local Stripe stores at most %d bytes of files. POST /_usher/reset empties it.", maxStoredFiles))
	}
	link := in.At("file_link_data")
	if link.Bool("create") {
		if err := h.fileLinks.check(x, link); err != nil {
			return nil, err
		}
	}
	if purpose.lifetime > 0 {
		x.ExpiresAt = h.now + purpose.lifetime
	}
	h.store.Files.insert(x)
	if link.Bool("create") {
		h.fileLinks.insert(x, link)
	}
	h.emit("file.created", h.render(x))
	return h.render(x), nil
}

// storedBytes is the size of all contents. Those of expired files are dropped before.
func (h files) storedBytes() int {
	total := 0
	for _, x := range h.store.Files.all {
		if x.expired(h.now) {
			x.Contents = nil
		}
		total += len(x.Contents)
	}
	return total
}

func (x *File) expired(now int64) bool { return x.ExpiresAt != 0 && now >= x.ExpiresAt }

// fileTypes are the types by the media type that the contents look like.
var fileTypes = map[string]string{"application/pdf": "pdf", "image/jpeg": "jpg", "image/png": "png", "image/gif": "gif"}

// fileType is the type of contents, else that of the name.
func fileType(name string, contents []byte) string {
	byName := strings.ToLower(strings.TrimPrefix(path.Ext(name), "."))
	if slices.Contains([]string{"svg", "csv", "docx", "xls", "xlsx"}, byName) && fileTypes[http.DetectContentType(contents)] == "" {
		return byName
	}
	return fileTypes[http.DetectContentType(contents)]
}

// contentType is the media type under which a file is served.
func (x *File) contentType() string {
	for media, name := range fileTypes {
		if name == x.Type {
			return media
		}
	}
	return cmp.Or(map[string]string{"svg": "image/svg+xml", "csv": "text/csv; charset=utf-8"}[x.Type], "application/octet-stream")
}

func (h files) find(in *input) (*File, error) {
	x, ok := h.store.Files.get(in.pathValue("id"))
	if !ok {
		return nil, wire.NotFound("file", in.pathValue("id"), "file")
	}
	return x, nil
}

func (h files) get(in *input) (any, error) {
	x, err := h.find(in)
	if err != nil {
		return nil, err
	}
	return h.render(x), nil
}

// contents serves the url of a file. An expired file has no contents.
func (h files) contents(in *input) (any, error) {
	x, err := h.find(in)
	if err == nil && x.expired(h.now) {
		err = wire.NotFound("file", x.ID, "file")
	}
	if err != nil {
		return nil, err
	}
	return document{x.contentType(), x.Contents}, nil
}

func (h files) list(in *input) (any, error) {
	return listing[*File]{
		resource: "file", table: h.store.Files, rows: h.store.Files.all,
		filter: func(x *File) bool { return !in.Has("purpose") || x.Purpose == in.String("purpose") },
		render: h.render,
	}.page(in)
}

func (h files) render(x *File) wire.Object {
	rows := h.store.FileLinks.by("file", x.ID)
	links := []any{}
	for _, link := range slices.Backward(rows) {
		if len(links) == summaryLimit {
			break
		}
		links = append(links, h.fileLinks.render(link))
	}
	return wire.Object{
		"id": x.ID, "object": "file", "created": x.Created, "expires_at": wire.IntOrNull(x.ExpiresAt), "filename": x.Filename,
		"links":   wire.List("/v1/file_links?file="+x.ID, links, len(rows) > summaryLimit),
		"purpose": x.Purpose, "size": x.Size, "title": nil, "type": x.Type, "url": h.origin + "/v1/files/" + x.ID + "/contents",
	}
}

// checkEvidence checks that a file which evidence names exists and may be used so (the wording is
// inferred).
func (h files) checkEvidence(id, param string) error {
	x, ok := h.store.Files.get(id)
	switch {
	case !ok:
		return wire.NoSuch("file upload", id, param)
	case x.Purpose != "dispute_evidence" && x.Purpose != "customer_signature":
		return wire.Invalid("", param, "The file "+id+" has the purpose "+x.Purpose+". Evidence must have the purpose dispute_evidence.")
	}
	return nil
}
