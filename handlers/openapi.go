package handlers

import (
	_ "embed"
	"net/http"
)

// openAPI describes the endpoints that programs call (OpenAPI 3.1). TestOpenAPI compares it with
// the routes and with their answers.
//
//go:embed openapi.json
var openAPI []byte

func (a *jsonAPI) showOpenAPI(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "public, max-age=3600")
	_, err := w.Write(openAPI)
	return err
}
