package datanet

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf16"

	"github.com/klippa-app/go-pdfium"
	"github.com/klippa-app/go-pdfium/webassembly"
	"github.com/tetratelabs/wazero"
	wasm "github.com/tetratelabs/wazero/api"

	"github.com/openledger/openledger/protocol"
)

// Limits of a PDF document.
const (
	maxPDFBytes  = 64 << 20
	maxPDFPages  = 5000
	maxPDFTime   = 2 * time.Minute // one document
	maxPDFMemory = 512 << 20       // of the sandbox, file included
	maxPDFs      = 2               // read at once
	wasmPage     = 64 << 10
)

// pdf reads a document with PDFium, compiled to WebAssembly: it runs in a sandbox without
// files, network or clock, with bounded memory and time, and cannot harm this process. A
// record a page with text: text, title (the document's or the file's), page (from 1).
func (p *parser) pdf() {
	if head := p.head(1024); !strings.Contains(string(head), "%PDF-") {
		p.wrong(0, p.disguised(errors.New("it does not begin with %PDF-")))
		return
	}
	data, ok := p.all()
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(p.ctx, maxPDFTime)
	defer cancel()
	err := inSandbox(ctx, func(s *sandbox) error { return s.pages(data, p) })
	switch {
	case p.ctx.Err() != nil:
		p.failed = p.ctx.Err()
	case ctx.Err() != nil:
		p.wrong(0, protocol.Errorf(protocol.KindInvalid, "", "takes longer than %s to read: split it, or print it to a new PDF", maxPDFTime))
	case errors.Is(err, errNoSandbox):
		p.failed = err
	case protocol.KindOf(err) == protocol.KindInvalid:
		p.wrong(0, err)
	case err != nil:
		p.wrong(0, protocol.Errorf(protocol.KindInvalid, "", "is a PDF that cannot be read: print it to a new PDF and try that"))
	case p.count == 0 && p.failed == nil && len(p.errs.Lines) == 0:
		p.wrong(0, protocol.Errorf(protocol.KindInvalid, "", "is a PDF without text: if it was scanned, have the text recognised first (OCR, such as ocrmypdf) and give that file"))
	}
}

var errNoSandbox = errors.New("datanet: the PDF reader does not start")

// pdfiumPool compiles the reader when the first PDF comes: that takes seconds.
var pdfiumPool = sync.OnceValues(func() (pdfium.Pool, error) {
	pool, err := webassembly.Init(webassembly.Config{
		MaxTotal: maxPDFs, FSConfig: wazero.NewFSConfig(), Stdout: io.Discard, Stderr: io.Discard,
		RuntimeConfig: pdfRuntime().WithMemoryLimitPages(maxPDFMemory / wasmPage).WithCloseOnContextDone(true),
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoSandbox, err)
	}
	return pool, nil
})

// sandbox is one instance of PDFium, for one document. Its functions are called here
// rather than through go-pdfium's, which know no context.
type sandbox struct {
	ctx    context.Context
	module wasm.Module
}

// inSandbox runs fn with a fresh instance, which is gone afterwards. When ctx ends, what
// runs inside is stopped.
func inSandbox(ctx context.Context, fn func(*sandbox) error) (err error) {
	pool, err := pdfiumPool()
	if err != nil {
		return err
	}
	instance, err := pool.GetInstanceWithContext(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", errNoSandbox, err)
	}
	defer func() { _ = instance.Close() }() // what it says of a stopped instance does not matter
	field := reflect.Indirect(reflect.ValueOf(instance.GetImplementation())).FieldByName("Module")
	if !field.IsValid() {
		return errNoSandbox
	}
	module, ok := field.Interface().(wasm.Module)
	if !ok {
		return errNoSandbox
	}
	return fn(&sandbox{ctx, module})
}

// call runs an exported function of PDFium that gives one number.
func (s *sandbox) call(name string, args ...uint64) (uint32, error) {
	fn := s.module.ExportedFunction(name)
	if fn == nil {
		return 0, fmt.Errorf("%w: there is no %s", errNoSandbox, name)
	}
	out, err := fn.Call(s.ctx, args...)
	if err != nil || len(out) == 0 {
		return 0, err
	}
	return uint32(out[0]), nil
}

var errSandboxMemory = errors.New("the document needs more memory than it may have")

// alloc gives memory of the sandbox.
func (s *sandbox) alloc(n int) (uint64, error) {
	at, err := s.call("malloc", uint64(n))
	if err == nil && at == 0 {
		err = errSandboxMemory
	}
	return uint64(at), err
}

// PDFium's error codes (fpdfview.h).
const pdfPassword = 4

// pages gives a record for each page of a document.
func (s *sandbox) pages(data []byte, p *parser) error {
	at, err := s.alloc(len(data))
	if err != nil {
		return err
	}
	if !s.module.Memory().Write(uint32(at), data) {
		return errSandboxMemory
	}
	doc, err := s.call("FPDF_LoadMemDocument64", at, uint64(len(data)), 0)
	if err != nil {
		return err
	}
	if doc == 0 {
		code, err := s.call("FPDF_GetLastError")
		if err == nil && code == pdfPassword {
			err = protocol.Errorf(protocol.KindInvalid, "", "is protected with a password: save it without one")
		}
		if err == nil {
			err = fmt.Errorf("PDFium: error %d", code)
		}
		return err
	}
	pages, err := s.call("FPDF_GetPageCount", uint64(doc))
	if err != nil {
		return err
	}
	if pages > maxPDFPages {
		return protocol.Errorf(protocol.KindInvalid, "", "has %d pages, the limit is %d: split it", pages, maxPDFPages)
	}
	title := p.stem
	if t, err := s.meta(doc, "Title"); err != nil {
		return err
	} else if t = oneLine(t); t != "" {
		title = t
	}
	for n := range pages {
		text, err := s.page(doc, n)
		if err != nil {
			return err
		}
		if text == "" {
			continue
		}
		rec, err := NewText(map[string]string{"title": title, "page": strconv.Itoa(int(n) + 1), "text": text})
		if !p.add(0, rec, err) {
			return nil
		}
	}
	return nil
}

// page gives the text of a page. One that PDFium cannot load has none.
func (s *sandbox) page(doc, n uint32) (string, error) {
	page, err := s.call("FPDF_LoadPage", uint64(doc), uint64(n))
	if err != nil || page == 0 {
		return "", err
	}
	text, err := s.call("FPDFText_LoadPage", uint64(page))
	if err != nil {
		return "", err
	}
	out := ""
	if text != 0 {
		count, err := s.call("FPDFText_CountChars", uint64(text))
		if err != nil {
			return "", err
		}
		if units := int(int32(count)); units > 0 {
			if units > protocol.MaxRecordBytes {
				return "", protocol.Errorf(protocol.KindInvalid, "text", "of page %d is %d characters, a record holds %d bytes", n+1, units, protocol.MaxRecordBytes)
			}
			at, err := s.alloc(2 * (units + 1))
			if err != nil {
				return "", err
			}
			got, err := s.call("FPDFText_GetText", uint64(text), 0, uint64(units), at)
			if err != nil {
				return "", err
			}
			if out, err = s.utf16(at, int(min(got, count))); err != nil {
				return "", err
			}
			if _, err := s.module.ExportedFunction("free").Call(s.ctx, at); err != nil {
				return "", err
			}
		}
		if _, err := s.call("FPDFText_ClosePage", uint64(text)); err != nil {
			return "", err
		}
	}
	_, err = s.call("FPDF_ClosePage", uint64(page))
	return pageText(out), err
}

// meta gives an entry of the document's information.
func (s *sandbox) meta(doc uint32, tag string) (string, error) {
	const most = 4 << 10
	at, err := s.alloc(most + len(tag) + 1)
	if err != nil {
		return "", err
	}
	if !s.module.Memory().Write(uint32(at)+most, append([]byte(tag), 0)) {
		return "", errSandboxMemory
	}
	n, err := s.call("FPDF_GetMetaText", uint64(doc), at+most, at, most)
	if err != nil || n < 2 || n > most {
		return "", err // longer than any title
	}
	return s.utf16(at, int(n)/2)
}

// utf16 reads n units of UTF-16 without the zero that ends them.
func (s *sandbox) utf16(at uint64, n int) (string, error) {
	b, ok := s.module.Memory().Read(uint32(at), uint32(2*n))
	if !ok {
		return "", errSandboxMemory
	}
	units := make([]uint16, 0, n)
	for i := 0; i+1 < len(b); i += 2 {
		if u := binary.LittleEndian.Uint16(b[i:]); u != 0 {
			units = append(units, u)
		}
	}
	return string(utf16.Decode(units)), nil
}

// pageText mends what PDFium gives: line ends, words that a hyphen breaks at the end of a
// line (marked with U+0002 or U+FFFE), and characters that are not text.
func pageText(s string) string {
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s)
	s = strings.NewReplacer("\u0002\n", "", "\uFFFE\n", "", "\u0002", "", "\uFFFE", "", "\uFFFF", "").Replace(s)
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, s)
	return strings.TrimSpace(s)
}
