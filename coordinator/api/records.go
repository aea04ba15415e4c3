package api

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
)

// RecordSummary is a record in a list.
type RecordSummary struct {
	Record      protocol.Hash    `json:"record"`
	CID         protocol.CID     `json:"cid"`
	Contributor protocol.Account `json:"contributor"`
	At          int64            `json:"at"` // contributed, by the contributor's clock, Unix ms
	Type        string           `json:"type"`
	Title       string           `json:"title"`
	Preview     string           `json:"preview"`
	Bytes       int              `json:"bytes"`
	Media       *MediaView       `json:"media,omitempty"`
}

// RecordContribution says how a record stands in one datanet.
type RecordContribution struct {
	Datanet     uint64                `json:"datanet"`
	Contributor protocol.Account      `json:"contributor"`
	At          int64                 `json:"at"`
	Status      protocol.ReviewStatus `json:"status"`
	Reason      string                `json:"reason,omitempty"`
}

// RecordView is a record with everything in it that is text.
type RecordView struct {
	Record        protocol.Hash        `json:"record"`
	CID           protocol.CID         `json:"cid"`
	Type          string               `json:"type"`
	Title         string               `json:"title"`
	Fields        map[string]string    `json:"fields"`
	MediaType     string               `json:"media_type,omitempty"`
	Media         *MediaView           `json:"media,omitempty"`
	Bytes         int                  `json:"bytes"` // canonical
	Trainable     bool                 `json:"trainable"`
	Earned        uint256.Int          `json:"earned"` // wei, by the receipts accepted here
	Contributions []RecordContribution `json:"contributions"`
}

// RecordContent is the content of a record as bytes.
type RecordContent struct {
	MediaType string // of what it is; only safe ones are told to browsers
	Name      string // to save it under
	Content   io.ReadSeekCloser
}

// VersionDiff says how a version differs from an earlier one.
type VersionDiff struct {
	From    uint32          `json:"from"` // 0: from nothing
	To      uint32          `json:"to"`
	Added   []RecordSummary `json:"added"`
	Removed []RecordSummary `json:"removed"`
	Changed []RecordChange  `json:"changed"`
	// Counts are of all; the lists have at most a thousand records each.
	Counts struct {
		Added   int `json:"added"`
		Removed int `json:"removed"`
		Changed int `json:"changed"`
	} `json:"counts"`
}

// RecordChange is a record that another one of the same title took the place of.
type RecordChange struct {
	From RecordSummary `json:"from"`
	To   RecordSummary `json:"to"`
}

// Records shows what is in datanets.
type Records interface {
	VersionRecords(ctx context.Context, datanet uint64, version uint32, from uint64, limit int) (records []RecordSummary, total int, err error)
	VersionDiff(ctx context.Context, datanet uint64, from, to uint32) (VersionDiff, error)
	Record(ctx context.Context, cid protocol.CID) (RecordView, error)
	RecordContent(ctx context.Context, cid protocol.CID) (RecordContent, error)
}

func (s *Server) versionRecords(w http.ResponseWriter, r *http.Request) error {
	id, err := pathUint(r, "id", 64)
	if err != nil {
		return err
	}
	version, err := pathUint(r, "version", 32)
	if err != nil {
		return err
	}
	from, limit, err := page(r)
	if err != nil {
		return err
	}
	list, total, err := s.cfg.Records.VersionRecords(r.Context(), id, uint32(version), from, limit)
	if err != nil {
		return err
	}
	next := ""
	if end := from + uint64(len(list)); end < uint64(total) && len(list) > 0 {
		next = strconv.FormatUint(end, 10)
	}
	return writeJSON(w, http.StatusOK, map[string]any{"records": list, "total": total, "next": next})
}

func (s *Server) versionDiff(w http.ResponseWriter, r *http.Request) error {
	id, err := pathUint(r, "id", 64)
	if err != nil {
		return err
	}
	version, err := pathUint(r, "version", 32)
	if err != nil {
		return err
	}
	from := uint64(0)
	if version > 0 {
		from = version - 1
	}
	if raw := r.URL.Query().Get("from"); raw != "" {
		if from, err = strconv.ParseUint(raw, 10, 32); err != nil {
			return protocol.Errorf(protocol.KindInvalid, "from", "%q is not the number of a version", raw)
		}
	}
	d, err := s.cfg.Records.VersionDiff(r.Context(), id, uint32(from), uint32(version))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, d)
}

func (s *Server) record(w http.ResponseWriter, r *http.Request) error {
	v, err := s.cfg.Records.Record(r.Context(), protocol.CID(r.PathValue("cid")))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, &v)
}

// safeTypes are the media types that browsers are told. None of them can run anything.
var safeTypes = []string{
	"image/png", "image/jpeg", "image/webp", "audio/mpeg", "audio/wav", "audio/flac", "video/mp4", "video/webm", "text/plain",
}

// recordContent sends the bytes behind a record: untrusted, so that a browser neither
// guesses their type nor runs anything of them.
func (s *Server) recordContent(w http.ResponseWriter, r *http.Request) (err error) {
	c, err := s.cfg.Records.RecordContent(r.Context(), protocol.CID(r.PathValue("cid")))
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := c.Content.Close(); closeErr != nil && !errors.Is(closeErr, context.Canceled) {
			s.cfg.Logger.Debug("record not closed", "err", closeErr)
		}
	}()
	kind, how := c.MediaType, "inline"
	if !slices.Contains(safeTypes, kind) {
		kind, how = "application/octet-stream", "attachment"
	}
	if kind == "text/plain" {
		kind = "text/plain; charset=utf-8"
	}
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "private, max-age=3600") // a rejection as abusive takes it away
	h.Set("ETag", `"`+r.PathValue("cid")+`"`)
	h.Set("Content-Disposition", mime.FormatMediaType(how, map[string]string{"filename": asciiName(c.Name)}))
	http.ServeContent(w, r, "", time.Time{}, c.Content)
	return nil
}

// asciiName makes a name that every client can save under.
func asciiName(s string) string {
	s = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r) {
			return r
		}
		return '_'
	}, s)
	if s = strings.Trim(s, "._"); s == "" {
		return "record"
	}
	return s[:min(len(s), 80)]
}

// ContributorView is what an account has given to a datanet.
type ContributorView struct {
	Account  protocol.Account `json:"account"`
	Pending  uint64           `json:"pending"`
	Accepted uint64           `json:"accepted"`
	Rejected uint64           `json:"rejected"`
	Ratio    float64          `json:"ratio"`  // of the reviewed ones that were accepted, 0 to 1
	Earned   uint256.Int      `json:"earned"` // wei, by the receipts accepted here
}

// DatanetLimits is what an owner allows. Signature is EIP-191 by the owner over LimitsText.
type DatanetLimits struct {
	PerDay    uint32   `json:"per_day"`   // records of one contributor in a day (UTC)
	At        int64    `json:"at"`        // Unix ms
	Signature hexBytes `json:"signature"` // to set them; empty when shown
}

// Contributors shows who gives what to datanets, and says how much they may.
type Contributors interface {
	Contributors(ctx context.Context, datanet uint64) ([]ContributorView, error)
	Limits(ctx context.Context, datanet uint64) (DatanetLimits, error)
	SetLimits(ctx context.Context, datanet uint64, l DatanetLimits) error
}

// LimitsText is what a datanet's owner signs (EIP-191) to set its limits.
func LimitsText(coordinator protocol.PeerID, datanet uint64, l DatanetLimits) string {
	return "Set limits of an OpenLedger datanet\ncoordinator: " + string(coordinator) + "\ndatanet: " + strconv.FormatUint(datanet, 10) +
		"\nrecords per contributor and day: " + strconv.FormatUint(uint64(l.PerDay), 10) + "\nat: " + strconv.FormatInt(l.At, 10)
}

func (s *Server) contributors(w http.ResponseWriter, r *http.Request) error {
	id, err := pathUint(r, "id", 64)
	if err != nil {
		return err
	}
	list, err := s.cfg.Contributors.Contributors(r.Context(), id)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, map[string]any{"contributors": list})
}

func (s *Server) datanetLimits(w http.ResponseWriter, r *http.Request) error {
	id, err := pathUint(r, "id", 64)
	if err != nil {
		return err
	}
	l, err := s.cfg.Contributors.Limits(r.Context(), id)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, l)
}

func (s *Server) setDatanetLimits(w http.ResponseWriter, r *http.Request) error {
	id, err := pathUint(r, "id", 64)
	if err != nil {
		return err
	}
	var in DatanetLimits
	if err := readJSON(r, &in); err != nil {
		return err
	}
	if err := s.cfg.Contributors.SetLimits(r.Context(), id, in); err != nil {
		return err
	}
	in.Signature = hexBytes{}
	return writeJSON(w, http.StatusOK, in)
}

// parseRecordCursor reads where a list by record id goes on.
func parseRecordCursor(raw string) (protocol.Hash, error) {
	if raw == "" {
		return protocol.Hash{}, nil
	}
	b, err := hex.DecodeString(raw)
	if err != nil || len(b) != len(protocol.Hash{}) {
		return protocol.Hash{}, protocol.Errorf(protocol.KindInvalid, "cursor", "%q is not one that this server gave: begin without", raw)
	}
	return protocol.Hash(b), nil
}
