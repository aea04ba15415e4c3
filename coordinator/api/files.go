package api

import (
	"context"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strconv"
	"time"

	"github.com/openledger/openledger/protocol"
)

// MaxFileBytes bounds one uploaded file; the form around it may have formBytes more.
const (
	MaxFileBytes = 256 << 20
	formBytes    = 64 << 10
)

// PurposeFineTune is what files that can be trained on are uploaded for, and
// PurposeResults what a fine-tuning job leaves behind.
const (
	PurposeFineTune = "fine-tune"
	PurposeResults  = "fine-tune-results"
)

// File is an account's file.
type File struct {
	ID        string
	Name      string
	Purpose   string
	Bytes     int64
	CreatedAt time.Time
}

// Upload is a file that is on its way in.
type Upload struct {
	// ID is given when the upload can be repeated; zero: the file gets an ID of its own.
	ID   protocol.Hash
	Name string
	// Body is read once. Purpose is asked for after that, since a form may name it behind
	// the file.
	Body    io.Reader
	Purpose func() (string, error)
}

// Files keeps what accounts upload. An account sees its own files only.
type Files interface {
	// AddFile stores a file of at most MaxFileBytes and checks it for its purpose.
	AddFile(ctx context.Context, owner protocol.Account, u Upload) (File, error)
	// Files lists the account's files from the oldest.
	Files(ctx context.Context, owner protocol.Account) ([]File, error)
	// OpenFile gives a file and its bytes, which the caller closes.
	OpenFile(ctx context.Context, owner protocol.Account, id string) (File, io.ReadSeekCloser, error)
	DeleteFile(ctx context.Context, owner protocol.Account, id string) error
}

// fileObject is OpenAI's shape of a file.
type fileObject struct {
	ID            string  `json:"id"`
	Object        string  `json:"object"`
	Bytes         int64   `json:"bytes"`
	CreatedAt     int64   `json:"created_at"`
	ExpiresAt     *int64  `json:"expires_at"`
	Filename      string  `json:"filename"`
	Purpose       string  `json:"purpose"`
	Status        string  `json:"status"`
	StatusDetails *string `json:"status_details"`
}

func newFileObject(f File) fileObject {
	return fileObject{ID: f.ID, Object: "file", Bytes: f.Bytes, CreatedAt: f.CreatedAt.Unix(), Filename: f.Name, Purpose: f.Purpose, Status: "processed"}
}

// uploadFile takes a form with the parts purpose and file, in any order. The file goes
// straight to disk.
func (s *Server) uploadFile(w http.ResponseWriter, r *http.Request, by Caller) error {
	id, err := idempotent(r, by.Account, "file")
	if err != nil {
		return err
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "multipart/form-data" {
		return protocol.Errorf(protocol.KindInvalid, "Content-Type", "a file is uploaded as multipart/form-data with the parts purpose and file")
	}
	form, err := r.MultipartReader()
	if err != nil {
		return protocol.Errorf(protocol.KindInvalid, "body", "it is not a form: %w", err)
	}
	in := uploadForm{form: form}
	part, err := in.upToFile()
	if err != nil {
		return err
	}
	if part == nil {
		return protocol.Errorf(protocol.KindInvalid, "file", "the form has no part of this name")
	}
	f, err := s.cfg.Files.AddFile(r.Context(), by.Account, Upload{ID: id, Name: part.FileName(), Body: bodyOf(part), Purpose: func() (string, error) {
		if err := in.rest(); err != nil {
			return "", err
		}
		if in.purpose != PurposeFineTune {
			return "", protocol.Errorf(protocol.KindInvalid, "purpose", "%q is not possible here: send %q", in.purpose, PurposeFineTune)
		}
		return in.purpose, nil
	}})
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, newFileObject(f))
}

// uploadForm reads a form's parts one after the other.
type uploadForm struct {
	form    *multipart.Reader
	purpose string
	parts   int
}

// maxParts bounds the parts of a form.
const maxParts = 16

// upToFile reads the fields before the file; nil: there is no such part.
func (f *uploadForm) upToFile() (*multipart.Part, error) {
	for {
		part, err := f.form.NextPart()
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		if err != nil {
			return nil, badForm(err)
		}
		if f.parts++; f.parts > maxParts {
			return nil, protocol.Errorf(protocol.KindInvalid, "body", "the form has more than %d parts", maxParts)
		}
		switch part.FormName() {
		case "file":
			return part, nil
		case "purpose":
			value, err := io.ReadAll(io.LimitReader(part, 256))
			if err != nil {
				return nil, badForm(err)
			}
			f.purpose = string(value)
		case "expires_after[anchor]", "expires_after[seconds]":
			return nil, protocol.Errorf(protocol.KindInvalid, "expires_after", "files stay until they are deleted: leave it out")
		}
	}
}

// rest reads the fields behind the file.
func (f *uploadForm) rest() error {
	again, err := f.upToFile()
	if err == nil && again != nil {
		err = protocol.Errorf(protocol.KindInvalid, "file", "the form has more than one: upload them one by one")
	}
	return err
}

func badForm(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return protocol.Errorf(protocol.KindInvalid, "file", "a file has at most %d bytes: split it", int64(MaxFileBytes))
	}
	return protocol.Errorf(protocol.KindInvalid, "body", "the form breaks off or is damaged: %w", err)
}

// bodyOf says in plain words what is wrong with a part that can't be read.
func bodyOf(part io.Reader) io.Reader { return formBody{part} }

type formBody struct{ r io.Reader }

func (b formBody) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = badForm(err)
	}
	return n, err
}

func (s *Server) listFiles(w http.ResponseWriter, r *http.Request, by Caller) error {
	files, err := s.cfg.Files.Files(r.Context(), by.Account)
	if err != nil {
		return err
	}
	purpose := r.URL.Query().Get("purpose")
	var objects []fileObject
	for _, f := range files {
		if purpose == "" || f.Purpose == purpose {
			objects = append(objects, newFileObject(f))
		}
	}
	return writePage(w, r, objects, func(f fileObject) string { return f.ID }, 10_000, 10_000)
}

func (s *Server) getFile(w http.ResponseWriter, r *http.Request, by Caller) error {
	f, body, err := s.cfg.Files.OpenFile(r.Context(), by.Account, r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := body.Close(); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, newFileObject(f))
}

func (s *Server) fileContent(w http.ResponseWriter, r *http.Request, by Caller) error {
	f, body, err := s.cfg.Files.OpenFile(r.Context(), by.Account, r.PathValue("id"))
	if err != nil {
		return err
	}
	// Whatever it is, a browser must not show it as a page of this site.
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": f.Name}))
	http.ServeContent(w, r, "", f.CreatedAt, body)
	return body.Close()
}

func (s *Server) deleteFile(w http.ResponseWriter, r *http.Request, by Caller) error {
	id := r.PathValue("id")
	if err := s.cfg.Files.DeleteFile(r.Context(), by.Account, id); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, map[string]any{"id": id, "object": "file", "deleted": true})
}

// writePage answers with OpenAI's pages: limit, after, and order, which is newest first
// unless it is asc. all is from the oldest.
func writePage[T any](w http.ResponseWriter, r *http.Request, all []T, id func(T) string, limit, most int) error {
	q := r.URL.Query()
	if text := q.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > most {
			return protocol.Errorf(protocol.KindInvalid, "limit", "%q is not a number from 1 to %d", text, most)
		}
		limit = n
	}
	list := make([]T, 0, len(all))
	switch q.Get("order") {
	case "", "desc":
		for i := range all {
			list = append(list, all[len(all)-1-i])
		}
	case "asc":
		list = append(list, all...)
	default:
		return protocol.Errorf(protocol.KindInvalid, "order", "%q is neither asc nor desc", q.Get("order"))
	}
	if after := q.Get("after"); after != "" {
		at := -1
		for i, v := range list {
			if id(v) == after {
				at = i
			}
		}
		if at < 0 {
			return protocol.Errorf(protocol.KindInvalid, "after", "there is no %q in this list", after)
		}
		list = list[at+1:]
	}
	more := len(list) > limit
	if more {
		list = list[:limit]
	}
	page := struct {
		Object  string  `json:"object"`
		Data    []T     `json:"data"`
		HasMore bool    `json:"has_more"`
		FirstID *string `json:"first_id"`
		LastID  *string `json:"last_id"`
	}{Object: "list", Data: list, HasMore: more}
	if len(list) > 0 {
		first, last := id(list[0]), id(list[len(list)-1])
		page.FirstID, page.LastID = &first, &last
	}
	return writeJSON(w, http.StatusOK, page)
}
