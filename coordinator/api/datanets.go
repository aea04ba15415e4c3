package api

import (
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/openledger/openledger/protocol"
)

func (s *Server) datanets(w http.ResponseWriter, r *http.Request) error {
	all, err := s.cfg.Datanets.Datanets(r.Context())
	if err != nil {
		return err
	}
	from, limit, err := page(r)
	if err != nil {
		return err
	}
	if r.URL.Query().Get("limit") == "" {
		limit = maxPage
	}
	found, err := searchDatanets(all, r.URL.Query())
	if err != nil {
		return err
	}
	from = min(from, uint64(len(found)))
	end, next := min(from+uint64(limit), uint64(len(found))), ""
	if end < uint64(len(found)) {
		next = strconv.FormatUint(end, 10)
	}
	return writeJSON(w, http.StatusOK, map[string]any{"datanets": found[from:end], "total": len(found), "next": next})
}

// searchDatanets keeps those that have all words of q in name or description, and the
// licence and owner that are asked for.
func searchDatanets(list []protocol.Datanet, query url.Values) ([]protocol.Datanet, error) {
	words := strings.Fields(strings.ToLower(query.Get("q")))
	license := query.Get("license")
	var owner *protocol.Account
	if raw := query.Get("owner"); raw != "" {
		owner = new(protocol.Account)
		if err := owner.UnmarshalText([]byte(raw)); err != nil {
			return nil, protocol.Errorf(protocol.KindInvalid, "owner", "%q is not an account: %w", raw, err)
		}
	}
	out := []protocol.Datanet{}
	for _, d := range list {
		text := strings.ToLower(d.Name + " " + d.Description)
		lacks := slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) })
		if !lacks && (license == "" || strings.EqualFold(license, d.License)) && (owner == nil || *owner == d.Owner) {
			out = append(out, d)
		}
	}
	return out, nil
}

func (s *Server) datanet(w http.ResponseWriter, r *http.Request) error {
	id, err := pathUint(r, "id", 64)
	if err != nil {
		return err
	}
	found, err := s.cfg.Datanets.Datanets(r.Context())
	if err != nil {
		return err
	}
	for _, d := range found {
		if d.ID == id {
			return writeJSON(w, http.StatusOK, d)
		}
	}
	return protocol.Errorf(protocol.KindNotFound, "datanet", "there is no datanet %d", id)
}

func (s *Server) contributions(w http.ResponseWriter, r *http.Request) error {
	id, err := pathUint(r, "id", 64)
	if err != nil {
		return err
	}
	limit, err := pageLimit(r, maxPage)
	if err != nil {
		return err
	}
	after, err := parseRecordCursor(r.URL.Query().Get("cursor"))
	if err != nil {
		return err
	}
	found, next, err := s.cfg.Datanets.ContributionsPage(r.Context(), id, protocol.ReviewStatus(r.URL.Query().Get("status")), after, limit)
	if err != nil {
		return err
	}
	cursor := ""
	if next != (protocol.Hash{}) {
		cursor = hex.EncodeToString(next[:])
	}
	return writeJSON(w, http.StatusOK, map[string]any{"contributions": list(found), "next": cursor})
}

// contributeRequest carries one record in its canonical bytes.
type contributeRequest struct {
	protocol.SignedContribution
	Bytes string `json:"bytes"` // base64
}

func (s *Server) contribute(w http.ResponseWriter, r *http.Request) error {
	id, err := pathUint(r, "id", 64)
	if err != nil {
		return err
	}
	var in contributeRequest
	if err := readJSON(r, &in); err != nil {
		return err
	}
	if in.Contribution.Datanet != id {
		return protocol.Errorf(protocol.KindInvalid, "datanet", "the signed contribution is for datanet %d, the address says %d", in.Contribution.Datanet, id)
	}
	record, err := base64.StdEncoding.DecodeString(in.Bytes)
	if err != nil {
		return protocol.Errorf(protocol.KindInvalid, "bytes", "they are not base64: %w", err)
	}
	status, err := s.cfg.Datanets.Contribute(r.Context(), in.SignedContribution, record)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusCreated, status)
}

func (s *Server) review(w http.ResponseWriter, r *http.Request) error {
	id, err := pathUint(r, "id", 64)
	if err != nil {
		return err
	}
	var in protocol.SignedReview
	if err := readJSON(r, &in); err != nil {
		return err
	}
	if in.Review.Datanet != id {
		return protocol.Errorf(protocol.KindInvalid, "datanet", "the signed review is for datanet %d, the address says %d", in.Review.Datanet, id)
	}
	status, err := s.cfg.Datanets.Review(r.Context(), in)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, status)
}

func (s *Server) versions(w http.ResponseWriter, r *http.Request) error {
	id, err := pathUint(r, "id", 64)
	if err != nil {
		return err
	}
	found, err := s.cfg.Versions.Versions(r.Context(), id)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, map[string]any{"versions": list(found)})
}

func (s *Server) buildVersion(w http.ResponseWriter, r *http.Request) error {
	id, err := pathUint(r, "id", 64)
	if err != nil {
		return err
	}
	v, err := s.cfg.Versions.BuildVersion(r.Context(), id)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, v)
}

// versionPath reads a path that names a datanet's version.
func versionPath(r *http.Request) (id uint64, version uint32, err error) {
	if id, err = pathUint(r, "id", 64); err != nil {
		return 0, 0, err
	}
	n, err := pathUint(r, "version", 32)
	return id, uint32(n), err
}

func (s *Server) exportCAR(w http.ResponseWriter, r *http.Request) error {
	id, version, err := versionPath(r)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/vnd.ipld.car; version=1")
	// A failure in the middle ends the connection before the last chunk, so that a
	// client never takes half an archive for a whole one.
	out := &lateWriter{w: w}
	if err := s.cfg.Versions.ExportCAR(r.Context(), id, version, out); err != nil {
		if !out.started {
			return err
		}
		panic(http.ErrAbortHandler)
	}
	return nil
}

// lateWriter remembers whether anything was written.
type lateWriter struct {
	w       http.ResponseWriter
	started bool
}

func (l *lateWriter) Write(p []byte) (int, error) {
	l.started = true
	return l.w.Write(p)
}
