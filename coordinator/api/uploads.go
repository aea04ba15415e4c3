package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strconv"
	"time"

	"github.com/openledger/openledger/protocol"
)

// UploadedFile is a file that somebody wants to contribute.
type UploadedFile struct {
	Datanet uint64
	By      protocol.Account
	Name    string // as it came
	Length  int64  // announced, or -1
	Body    io.Reader
}

// FileError is what is wrong with a file, or with one line of it.
type FileError struct {
	File    string `json:"file"`
	Line    int    `json:"line,omitempty"` // from 1; 0: the file as a whole
	Field   string `json:"field,omitempty"`
	Message string `json:"message"`
}

// UploadView is an upload and what it would contribute.
type UploadView struct {
	ID       string           `json:"id,omitempty"` // empty: nothing was kept
	Datanet  uint64           `json:"datanet"`
	Account  protocol.Account `json:"account"`
	Name     string           `json:"name"`
	Bytes    int64            `json:"bytes"`
	State    string           `json:"state"` // "checking", "ready" or "refused"
	Errors   []FileError      `json:"errors"`
	More     bool             `json:"more"` // there are further errors
	Records  int              `json:"records"`
	Repeated int              `json:"repeated"` // records left out because the file has them twice
	At       int64            `json:"at"`       // Unix ms
	Expires  int64            `json:"expires"`  // Unix ms
}

// MediaView says what the file of a media record is, by its own headers.
type MediaView struct {
	Content   protocol.CID `json:"content"`
	MediaType string       `json:"media_type"`
	Size      int64        `json:"size"`
	Codec     string       `json:"codec,omitempty"`
	Width     int          `json:"width,omitempty"`
	Height    int          `json:"height,omitempty"`
	Duration  int64        `json:"duration_ms,omitempty"`
}

// SimilarView is a record that another one is much like.
type SimilarView struct {
	Record  protocol.Hash `json:"record"`
	CID     protocol.CID  `json:"cid"`
	Title   string        `json:"title"`
	PerCent int           `json:"per_cent"`
}

// UploadedRecord is a record that an upload would contribute.
type UploadedRecord struct {
	Record    protocol.Hash         `json:"record"`
	CID       protocol.CID          `json:"cid"`
	Type      string                `json:"type"`
	Title     string                `json:"title"`
	Preview   string                `json:"preview"`
	Bytes     int                   `json:"bytes"`
	Media     *MediaView            `json:"media,omitempty"`
	Duplicate protocol.ReviewStatus `json:"duplicate,omitempty"` // the datanet has it: how it stands there
	Similar   *SimilarView          `json:"similar,omitempty"`
}

// FileFormat is a kind of file that is taken in.
type FileFormat struct {
	Name      string   `json:"name"`                 // for people
	Endings   []string `json:"endings"`              // of file names, lower case, with the dot
	MediaType string   `json:"media_type,omitempty"` // of what becomes a record as it is; others are read for text
	MaxBytes  int64    `json:"max_bytes"`            // of one file
}

// Uploads takes in files of contributions.
type Uploads interface {
	Formats() []FileFormat
	// UploadsPerDay is how many bytes one account may upload in a day (UTC).
	UploadsPerDay() int64
	// UploadToken gives the account that signed UploadText not long ago.
	UploadToken(account protocol.Account, at int64, signature []byte) (protocol.Account, error)
	ReceiveUpload(ctx context.Context, f UploadedFile) (UploadView, error)
	// Upload gives an upload of an account with some of its records, from an offset.
	Upload(ctx context.Context, by protocol.Account, id string, from uint64, limit int) (UploadView, []UploadedRecord, error)
	DeleteUpload(ctx context.Context, by protocol.Account, id string) error
}

// UploadText is what an account signs (EIP-191) to upload, look at and delete files for
// some minutes. Its header is
//
//	OpenLedger-Signed: ACCOUNT AT SIGNATURE
//
// with the time in Unix milliseconds and the signature as 0x-hex.
func UploadText(coordinator protocol.PeerID, account protocol.Account, at int64) string {
	return fmt.Sprintf("Upload files to OpenLedger\ncoordinator: %s\naccount: %s\nat: %d", coordinator, account.Hex(), at)
}

// SignedHeader carries what UploadText says instead of an API key.
const SignedHeader = "OpenLedger-Signed"

// maxUpload bounds one request with files; each file's limit depends on its kind.
const maxUpload = 1 << 30

// stalled is how long an upload may pause.
const stalled = time.Minute

func (s *Server) formats(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, map[string]any{"formats": s.cfg.Uploads.Formats(), "bytes_per_day": s.cfg.Uploads.UploadsPerDay()})
}

// signed finds out who sends a request with a signature in place of an API key.
func (s *Server) signed(header string) (Caller, error) {
	bad := func(format string, args ...any) (Caller, error) {
		return Caller{}, protocol.Errorf(protocol.KindUnauthorized, SignedHeader, format, args...)
	}
	var account, signature string
	var at int64
	if n, err := fmt.Sscanf(header, "%s %d %s", &account, &at, &signature); err != nil || n != 3 {
		return bad("is not ACCOUNT AT SIGNATURE")
	}
	var a protocol.Account
	var sig hexBytes
	if err := errors.Join(a.UnmarshalText([]byte(account)), sig.UnmarshalText([]byte(signature))); err != nil {
		return bad("is not ACCOUNT AT SIGNATURE: %w", err)
	}
	by, err := s.cfg.Uploads.UploadToken(a, at, sig)
	return Caller{Account: by}, err
}

// upload takes one file as the body, named by the query, or several in a form.
func (s *Server) upload(w http.ResponseWriter, r *http.Request, by Caller) error {
	id, err := pathUint(r, "id", 64)
	if err != nil {
		return err
	}
	if r.ContentLength > maxUpload {
		return protocol.Errorf(protocol.KindTooLarge, "file", "the request is %d bytes, the limit is %d: split the file, or send files one at a time", r.ContentLength, maxUpload)
	}
	r.Body = &patient{http.NewResponseController(w), r.Body}
	kind, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind == "multipart/form-data" {
		list, err := s.uploadForm(r, id, by, params["boundary"])
		if err != nil {
			return err
		}
		return writeJSON(w, http.StatusCreated, map[string]any{"uploads": list})
	}
	name := r.URL.Query().Get("name")
	if name == "" {
		return protocol.Errorf(protocol.KindInvalid, "name", "is missing: send the file's name as ?name=, or files as multipart/form-data")
	}
	view, err := s.cfg.Uploads.ReceiveUpload(r.Context(), UploadedFile{Datanet: id, By: by.Account, Name: name, Length: r.ContentLength, Body: r.Body})
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusCreated, map[string]any{"uploads": []UploadView{view}})
}

// maxFormFiles bounds the files of one form.
const maxFormFiles = 100

// uploadForm takes the files of a form, one after the other. One that is refused does not
// keep the others from being taken.
func (s *Server) uploadForm(r *http.Request, id uint64, by Caller, boundary string) ([]UploadView, error) {
	form := multipart.NewReader(r.Body, boundary)
	list := []UploadView{}
	for {
		part, err := form.NextPart()
		switch {
		case errors.Is(err, io.EOF) && len(list) > 0:
			return list, nil
		case errors.Is(err, io.EOF):
			return nil, protocol.Errorf(protocol.KindInvalid, "file", "the form has no file in it")
		case err != nil:
			return nil, protocol.Errorf(protocol.KindInvalid, "file", "the form broke off: %w", err)
		case part.FileName() == "":
			continue
		case len(list) == maxFormFiles:
			return nil, protocol.Errorf(protocol.KindInvalid, "file", "the form has more than %d files: send more forms", maxFormFiles)
		}
		view, err := s.cfg.Uploads.ReceiveUpload(r.Context(), UploadedFile{Datanet: id, By: by.Account, Name: part.FileName(), Length: -1, Body: part})
		if err != nil {
			kind := protocol.KindOf(err)
			if kind != protocol.KindInvalid && kind != protocol.KindTooLarge || r.Context().Err() != nil {
				return nil, err
			}
			view = UploadView{Datanet: id, Account: by.Account, Name: part.FileName(), State: "refused", Errors: []FileError{{File: part.FileName(), Message: err.Error()}}}
		}
		list = append(list, view)
	}
}

// patient lets a body take as long as it needs while it moves.
type patient struct {
	control *http.ResponseController
	io.ReadCloser
}

func (p *patient) Read(b []byte) (int, error) {
	_ = p.control.SetReadDeadline(time.Now().Add(stalled)) // tests' writers have none
	n, err := p.ReadCloser.Read(b)
	if err != nil {
		_ = p.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

func (s *Server) getUpload(w http.ResponseWriter, r *http.Request, by Caller) error {
	from, limit, err := page(r)
	if err != nil {
		return err
	}
	view, records, err := s.cfg.Uploads.Upload(r.Context(), by.Account, r.PathValue("upload"), from, limit)
	if err != nil {
		return err
	}
	next := ""
	if end := from + uint64(len(records)); end < uint64(view.Records) && len(records) > 0 {
		next = strconv.FormatUint(end, 10)
	}
	return writeJSON(w, http.StatusOK, map[string]any{"upload": view, "records": records, "next": next})
}

func (s *Server) deleteUpload(w http.ResponseWriter, r *http.Request, by Caller) error {
	if err := s.cfg.Uploads.DeleteUpload(r.Context(), by.Account, r.PathValue("upload")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// Pages of lists.
const (
	defaultPage = 50
	maxPage     = 1000
)

// page reads a cursor that is an offset, and how many are wanted.
func page(r *http.Request) (from uint64, limit int, err error) {
	if limit, err = pageLimit(r, defaultPage); err != nil {
		return 0, 0, err
	}
	if c := r.URL.Query().Get("cursor"); c != "" {
		if from, err = strconv.ParseUint(c, 10, 32); err != nil {
			return 0, 0, protocol.Errorf(protocol.KindInvalid, "cursor", "%q is not one that this server gave: begin without", c)
		}
	}
	return from, limit, nil
}

func pageLimit(r *http.Request, usual int) (int, error) {
	raw := r.URL.Query().Get("limit")
	if raw == "" {
		return usual, nil
	}
	n, err := strconv.Atoi(raw)
	if err != nil || n < 1 || n > maxPage {
		return 0, protocol.Errorf(protocol.KindInvalid, "limit", "%q is not a number from 1 to %d", raw, maxPage)
	}
	return n, nil
}
