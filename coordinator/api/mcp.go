package api

import "net/http"

// callMCP serves one message of the Model Context Protocol. Its tools are requests to this
// API under the same key.
func (s *Server) callMCP(w http.ResponseWriter, r *http.Request, _ Caller) error {
	s.mcp.ServeHTTP(w, r)
	return nil
}
