package api

import (
	_ "embed" // the API's description
	"encoding/json"
	"net/http"
	"sync"

	"go.yaml.in/yaml/v3"
)

// openAPI describes the API in OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.1.html).
//
//go:embed openapi.yaml
var openAPI []byte

// openAPIAsJSON is the same description as JSON.
var openAPIAsJSON = sync.OnceValues(func() ([]byte, error) {
	var v any
	if err := yaml.Unmarshal(openAPI, &v); err != nil {
		return nil, err
	}
	return json.Marshal(v)
})

func (s *Server) openAPIJSON(w http.ResponseWriter, _ *http.Request) error {
	body, err := openAPIAsJSON()
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body) // an error means that the client hung up
	return nil
}

func (s *Server) openAPIYAML(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/yaml")
	_, _ = w.Write(openAPI) // as above
	return nil
}
