package stripelocal

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"

	"usher/stripelocal/wire"
)

// maxUploadBytes limits the size of a multipart request.
const maxUploadBytes = 17 << 20

// document is an API response that is not JSON.
type document struct {
	contentType string
	body        []byte
}

// decodeUpload reads the multipart form of POST /v1/files. The contents of the part file become
// c.upload, and the parameter file is the file's name. The returned text has a hash of the
// contents, for the idempotency key.
func (c *apiCall) decodeUpload() (*wire.Value, string, *wire.Error) {
	c.req.Body = http.MaxBytesReader(nil, c.req.Body, maxUploadBytes)
	parts, err := c.req.MultipartReader()
	if err != nil {
		return nil, "", wire.Invalid("", "", "Invalid request (check that your POST content type is multipart/form-data). If you have any questions, we can help at https://support.stripe.com/.")
	}
	var form []string
	for {
		part, err := parts.NextPart()
		if err == io.EOF {
			break
		}
		var text string
		if err == nil {
			text, err = c.readPart(part)
		}
		if err != nil {
			return nil, "", wire.Invalid("", "", "Invalid request: the body could not be read.")
		}
		form = append(form, url.QueryEscape(part.FormName())+"="+url.QueryEscape(text))
	}
	raw := strings.Join(form, "&")
	value, bad := wire.DecodeForm(raw)
	if bad != nil {
		return nil, "", bad
	}
	if bad := c.toOwnParams(value); bad != nil {
		return nil, "", bad
	}
	sum := sha256.Sum256(c.upload)
	return value, raw + "&" + hex.EncodeToString(sum[:]), c.schema.Check(value)
}

// readPart returns the value of a part: its text, or the name of a file.
func (c *apiCall) readPart(part *multipart.Part) (string, error) {
	var contents bytes.Buffer
	if _, err := contents.ReadFrom(part); err != nil {
		return "", err
	}
	if part.FormName() != "file" {
		return contents.String(), nil
	}
	c.upload = contents.Bytes()
	return cmp.Or(part.FileName(), "file"), nil
}
