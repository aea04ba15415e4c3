package datanet

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
)

// sample reads a small real file of testdata/files.
func sample(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata/files", name))
	require.NoError(t, err)
	return string(b)
}

// oneError parses a file that must be refused and gives the message.
func oneError(t *testing.T, name, content string) string {
	t.Helper()
	records, err := parse(name, content)
	require.Error(t, err, name)
	require.Nil(t, records)
	var pe *ParseError
	require.True(t, errors.As(err, &pe), "%s: %v", name, err)
	require.Equal(t, protocol.KindInvalid, protocol.KindOf(err))
	require.Len(t, pe.Lines, 1, "%v", err)
	return pe.Lines[0].Error()
}

func TestParseMedia(t *testing.T) {
	for _, c := range []struct {
		file string
		want Media
	}{
		{"red.png", Media{MediaType: "image/png", Width: 32, Height: 24}},
		{"red.jpg", Media{MediaType: "image/jpeg", Width: 32, Height: 24}},
		{"red.webp", Media{MediaType: "image/webp", Width: 32, Height: 24}},
		{"lossless.webp", Media{MediaType: "image/webp", Width: 32, Height: 24}},
		{"tone.wav", Media{MediaType: "audio/wav", Codec: "pcm", Duration: 500}},
		{"tone.mp3", Media{MediaType: "audio/mpeg", Duration: 612}}, // the encoder pads
		{"tone.flac", Media{MediaType: "audio/flac", Duration: 500}},
		{"clip.mp4", Media{MediaType: "video/mp4", Codec: "avc1", Width: 64, Height: 48, Duration: 1000}},
		{"clip.webm", Media{MediaType: "video/webm", Codec: "vp9", Width: 64, Height: 48, Duration: 1000}},
	} {
		t.Run(c.file, func(t *testing.T) {
			content := sample(t, c.file)
			got, err := parse("My "+c.file, content)
			require.NoError(t, err)
			require.Len(t, got, 1)
			m := *got[0].Media
			require.Equal(t, int64(len(content)), m.Size)
			c.want.Size, c.want.Content = m.Size, m.Content
			require.Equal(t, c.want, m)
			require.Equal(t, "My "+strings.TrimSuffix(c.file, filepath.Ext(c.file)), got[0].Title())
			back, err := Decode(got[0].Canonical)
			require.NoError(t, err)
			require.Equal(t, got[0], back)

			// Every beginning of the file is refused or read, and nothing else happens.
			for n := 0; n < len(content); n += 1 + n/64 {
				_, _ = parse(c.file, content[:n])
			}
			if c.file != "tone.mp3" { // its frames stand for themselves
				require.NotEmpty(t, oneError(t, c.file, content[:len(content)/3]))
			}
		})
	}
}

// A file is what its bytes say, whatever it is called.
func TestDisguisedFilesAreRefused(t *testing.T) {
	html := "<!DOCTYPE html><script>alert(1)</script>"
	for _, c := range []struct{ name, content, want string }{
		{"photo.png", html, "photo.png: is called .png, but it is an HTML page: give it its real ending, if that is a kind that is read here"},
		{"photo.jpg", "<svg onload=alert(1)>", "is called .jpg, but it is an SVG picture"},
		{"photo.jpg", sample(t, "red.png"), "is called .jpg, but it is a PNG picture"},
		{"sound.mp3", sample(t, "tone.wav"), "is called .mp3, but it is a WAV sound"},
		{"clip.webm", sample(t, "clip.mp4"), "is called .webm, but it is an MP4 or similar file"},
		{"doc.pdf", html, "is called .pdf, but it is an HTML page"},
		{"doc.docx", sample(t, "animals.pdf"), "is called .docx, but it is a PDF document"},
		{"notes.txt", sample(t, "red.png"), "is called .txt, but it is a PNG picture"},
		{"rows.csv", sample(t, "animals.pdf"), "is called .csv, but it is a PDF document"},
		{"tool.exe", "MZ", "is of a kind that is not read here: give one of .jsonl"},
		{"clip.mp4", "\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", `it says it is of the kind "heic", not MP4`},
		{"clip.webm", strings.Replace(sample(t, "clip.webm"), "webm", "mkv!", 1), `it says it is of the kind "mkv!", not webm`},
		{"empty.png", "", "is empty"},
	} {
		require.Contains(t, oneError(t, c.name, c.content), c.want)
	}
	// HTML in a file of text is text: nothing runs it.
	got, err := parse("page.txt", html)
	require.NoError(t, err)
	require.Equal(t, html, got[0].Fields["text"])
}

// Sizes that a header merely claims cost nothing and are refused.
func TestMediaThatLiesAboutItsSize(t *testing.T) {
	png := []byte(sample(t, "red.png"))
	binary.BigEndian.PutUint32(png[16:], 1<<31)
	require.Contains(t, oneError(t, "a.png", string(png)), "pixels")
	binary.BigEndian.PutUint32(png[16:], 1<<16)
	binary.BigEndian.PutUint32(png[20:], 1<<16)
	require.Contains(t, oneError(t, "a.png", string(png)), "65536 x 65536")

	box := func(kind string, content ...string) string {
		s := strings.Join(content, "")
		return string(binary.BigEndian.AppendUint32(nil, uint32(8+len(s)))) + kind + s
	}
	head := box("ftyp", "isom\x00\x00\x00\x00")
	year := "\x00\x00\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x00" + "\x00\x00\x00\x01" + "\x01\xe1\x33\x80"
	require.Contains(t, oneError(t, "a.mp4", head+box("moov", box("mvhd", year))+box("mdat", "x")), "longer than a day")
	require.Contains(t, oneError(t, "a.mp4", head+"\xff\xff\xff\xffmoov"), "cut off")
	require.Contains(t, oneError(t, "a.mp4", head+strings.Repeat(box("free"), 1<<16)), "no description of its tracks")
	deep := box("mdia")
	for range 200 {
		deep = box("mdia", deep)
	}
	require.Contains(t, oneError(t, "a.mp4", head+box("moov", box("trak", deep))+box("mdat", "x")), "no track of video")
}

func TestParsePDF(t *testing.T) {
	got, err := parse("upload.pdf", sample(t, "animals.pdf"))
	require.NoError(t, err)
	require.Len(t, got, 2, "page 2 is empty")
	require.Equal(t, map[string]string{"title": "Animals of Marrowland", "page": "1", "text": "Birds\nThe green heron fishes at dawn."}, got[0].Fields)
	require.Equal(t, map[string]string{"title": "Animals of Marrowland", "page": "3", "text": "Mammals\nThe otter lives in the river."}, got[1].Fields)
	require.Equal(t, "Animals of Marrowland, page 3", got[1].Title())

	require.Contains(t, oneError(t, "scan.pdf", sample(t, "scan.pdf")), "scan.pdf: is a PDF without text: if it was scanned, have the text recognised first (OCR")
	require.Contains(t, oneError(t, "locked.pdf", sample(t, "locked.pdf")), "protected with a password")
	require.Contains(t, oneError(t, "cut.pdf", "%PDF-1.7\nnothing more"), "cannot be read")
}

// A document that takes too long inside PDFium is stopped there.
func TestPDFStopsWithItsContext(t *testing.T) {
	content := sample(t, "animals.pdf")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := Parse(ctx, File{"a.pdf", strings.NewReader(content), int64(len(content))}, Target{Record: func(Record) error { return nil }})
	require.ErrorIs(t, err, context.Canceled)
	// A call that never ends: malloc is called again and again until the deadline.
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err = inSandbox(ctx, func(s *sandbox) error {
		for {
			if _, err := s.call("FPDF_GetLastError"); err != nil {
				return err
			}
		}
	})
	require.Error(t, err)
	require.Error(t, ctx.Err())
}

// docxOf packs parts into an archive.
func docxOf(t testing.TB, parts map[string]string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, content := range parts {
		w, err := z.Create(name)
		require.NoError(t, err)
		_, err = io.WriteString(w, content)
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	return b.String()
}

const wordSpace = `xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"`

func paragraphs(list ...string) string {
	return `<?xml version="1.0"?><w:document ` + wordSpace + `><w:body>` + strings.Join(list, "") + `</w:body></w:document>`
}

func para(style, text string) string {
	if style != "" {
		style = `<w:pPr><w:pStyle w:val="` + style + `"/></w:pPr>`
	}
	return `<w:p>` + style + `<w:r><w:t xml:space="preserve">` + text + `</w:t></w:r></w:p>`
}

func TestParseDOCX(t *testing.T) {
	body := paragraphs(
		para("", "A short guide."),
		para("berschrift1", "Birds"),
		`<w:p><w:r><w:t>The green </w:t></w:r><w:del><w:r><w:t>grey </w:t></w:r></w:del><w:r><w:t>heron</w:t><w:tab/><w:t>fishes</w:t><w:instrText>PAGE</w:instrText></w:r></w:p>`,
		para("berschrift1", "Mammals"), para("", "&lt;script&gt; is text here &amp; stays text."),
	)
	styles := `<w:styles ` + wordSpace + `><w:style w:styleId="berschrift1"><w:name w:val="heading 1"/></w:style></w:styles>`
	core := `<cp:coreProperties xmlns:cp="x" xmlns:dc="y"><dc:title>Animals  of` + "\u202e" + ` Marrowland</dc:title></cp:coreProperties>`
	got, err := parse("animals.docx", docxOf(t, map[string]string{"word/document.xml": body, "word/styles.xml": styles, "docProps/core.xml": core}))
	require.NoError(t, err)
	require.Len(t, got, 3)
	require.Equal(t, map[string]string{"title": "Animals of Marrowland", "text": "A short guide."}, got[0].Fields)
	require.Equal(t, map[string]string{"title": "Animals of Marrowland", "section": "Birds", "text": "Birds\n\nThe green heron\tfishes"}, got[1].Fields)
	require.Equal(t, "Mammals\n\n<script> is text here & stays text.", got[2].Fields["text"])

	for want, parts := range map[string]map[string]string{
		"not a Word document":                    {"xl/workbook.xml": "<a/>"},
		"document type declaration":              {"word/document.xml": `<!DOCTYPE w [<!ENTITY x SYSTEM "file:///etc/passwd">]><w:document ` + wordSpace + `>&x;</w:document>`},
		"invalid character entity":               {"word/document.xml": paragraphs(para("", "&x;"))},
		"has no text":                            {"word/document.xml": paragraphs(para("", " "))},
		"damaged part word/document.xml":         {"word/document.xml": "<w:document><w:body>"},
		"nested deeper":                          {"word/document.xml": strings.Repeat("<a>", 300)},
		"unpacks word/document.xml to more than": {"word/document.xml": strings.Repeat(" ", maxPartBytes+1)},
	} {
		require.Contains(t, oneError(t, "bad.docx", docxOf(t, parts)), want)
	}
}

// A zip bomb is refused by what comes out of it, not by what its directory says.
func TestZipBombs(t *testing.T) {
	text := func(n int) string { return paragraphs(para("", strings.Repeat("a", n))) }
	flat := docxOf(t, map[string]string{"word/document.xml": text(8 << 20)})
	require.Less(t, len(flat), 64<<10)
	require.Contains(t, oneError(t, "bomb.docx", flat), "this is not what a word processor writes")

	lying := []byte(flat)
	at := bytes.LastIndex(lying, []byte("PK\x01\x02"))
	binary.LittleEndian.PutUint32(lying[at+24:], 1000) // unpacked size in the directory
	require.NotEmpty(t, oneError(t, "bomb.docx", string(lying)))

	many := map[string]string{"word/document.xml": text(10)}
	for i := range maxZipEntries {
		many[fmt.Sprintf("word/%d", i)] = ""
	}
	require.Contains(t, oneError(t, "many.docx", docxOf(t, many)), "has 4097 parts")
}

func TestParseCSV(t *testing.T) {
	for name, content := range map[string]string{
		"a.csv": "\xef\xbb\xbftitle,text\r\nFox,\"Sour, \"\"grapes\"\"\nagain\"\r\n\r\n,\r\nCrow,\r\n",
		"b.csv": "title;text\nFox;\"Sour, \"\"grapes\"\"\nagain\"\nCrow;\n",
		"c.tsv": "title\ttext\nFox\t\"Sour, \"\"grapes\"\"\nagain\"\nCrow\t\n",
		"d.csv": "title|text\nFox|\"Sour, \"\"grapes\"\"\nagain\"\nCrow|\n",
	} {
		got, err := parse(name, content)
		require.NoError(t, err, name)
		require.Len(t, got, 2, name)
		require.Equal(t, map[string]string{"title": "Fox", "text": "Sour, \"grapes\"\nagain"}, got[0].Fields, name)
		require.Equal(t, map[string]string{"title": "Crow"}, got[1].Fields, name)
	}
	one, err := parse("one.csv", "text\nalone\n")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"text": "alone"}, one[0].Fields)

	for want, content := range map[string]string{
		"rows.csv:3: has 3 cells, the first row names 2":   "a,b\n1,2\n1,2,3\n",
		"rows.csv:1: field a: is the name of two columns":  "a,a\n1,2\n",
		"rows.csv:1: has no name for column 2":             "a,,c\n1,2,3\n",
		"rows.csv:2: has a quote in a cell without quotes": "a,b\n1,x\"y\n",
		"rows.csv:2: field \"a\": is not UTF-8":            "a,b\n\xff,2\n",
		"has no records":                                   "a,b\n",
		"is a quote not closed?":                           "a,b\n1,\"" + strings.Repeat("x", 2*maxLineBytes),
	} {
		require.Contains(t, oneError(t, "rows.csv", content), want)
	}
	_, err = parse("rows.csv", "a\n"+strings.Repeat("1,2\n", 100))
	var pe *ParseError
	require.ErrorAs(t, err, &pe)
	require.Len(t, pe.Lines, maxLineErrors)
	require.True(t, pe.More)
}

func TestCleanName(t *testing.T) {
	for in, want := range map[string]string{
		"../../etc/passwd":             "passwd",
		`C:\Users\me\photo.png`:        "photo.png",
		"a\x00b\r\nc.txt":              "ab c.txt",
		"gnp.\u202etxt.png":            "gnp.txt.png",
		"<script>alert(1)</script>.md": "script>.md",
		"<img src=x onerror=y>.png":    "<img src=x onerror=y>.png", // text; who shows it escapes it
		"":                             "untitled", "..": "untitled", "/": "untitled", "\u200b": "untitled",
		"Cafe\u0301.txt": "Caf\u00e9.txt", "\xff.txt": "\uFFFD.txt",
	} {
		require.Equal(t, want, CleanName(in), "%q", in)
	}
	long := CleanName(strings.Repeat("é", 300) + ".webm")
	require.LessOrEqual(t, len(long), maxNameBytes)
	require.True(t, strings.HasSuffix(long, "é.webm"))

	// What a name says becomes a title, never a path or markup that runs.
	got, err := parse("a\nb<script>.txt", "text")
	require.NoError(t, err)
	require.Equal(t, "a b<script>", got[0].Fields["title"])
}

func TestEndingsAreOfOneFormat(t *testing.T) {
	seen := map[string]bool{}
	for _, e := range Endings() {
		require.False(t, seen[e], e)
		require.Equal(t, strings.ToLower(e), e)
		seen[e] = true
	}
	for _, e := range strings.Fields(".md .txt .pdf .docx .jsonl .csv .png .jpg .webp .mp3 .wav .flac .mp4 .webm") {
		require.True(t, seen[e], e)
	}
	for _, m := range MediaTypes() {
		require.NoError(t, checkMediaType(m))
	}
}

func TestMediaRecord(t *testing.T) {
	m := Media{Content: placeholder, MediaType: "video/webm", Size: 5, Codec: "vp9", Width: 640, Height: 480, Duration: 1200}
	r, err := NewMedia(m, map[string]string{"caption": "A cafe\u0301"})
	require.NoError(t, err)
	require.Equal(t, `{"codec":"vp9","content":"`+placeholder+`","duration_ms":1200,"fields":{"caption":"A caf`+"\u00e9"+
		`"},"height":480,"media_type":"video/webm","size":5,"type":"media","width":640}`, string(r.Canonical))
	require.True(t, r.Trainable())
	bare, err := NewMedia(Media{Content: placeholder, MediaType: "audio/wav", Size: 5}, nil)
	require.NoError(t, err)
	require.Equal(t, `{"content":"`+placeholder+`","media_type":"audio/wav","size":5,"type":"media"}`, string(bare.Canonical))
	require.False(t, bare.Trainable())
	for _, r := range []Record{r, bare} {
		back, err := Decode(r.Canonical)
		require.NoError(t, err)
		require.Equal(t, r, back)
	}
	for _, change := range []func(*Media){
		func(m *Media) { m.Content = "bafy" }, func(m *Media) { m.MediaType = "Image/PNG" }, func(m *Media) { m.Size = 0 },
		func(m *Media) { m.Size = MaxMediaBytes + 1 }, func(m *Media) { m.Width = -1 }, func(m *Media) { m.Width, m.Height = 1<<16, 1<<16 },
		func(m *Media) { m.Duration = -1 }, func(m *Media) { m.Codec = "<b>" + strings.Repeat("x", 40) }, func(m *Media) { m.Codec = "a b" },
	} {
		bad := m
		change(&bad)
		_, err := NewMedia(bad, nil)
		require.Equal(t, protocol.KindInvalid, protocol.KindOf(err), "%+v", bad)
	}
	for _, bad := range []string{
		`{"content":"` + placeholder + `","media_type":"audio/wav","size":5,"type":"media","width":0}`,
		`{"content":"` + placeholder + `","fields":{},"media_type":"audio/wav","size":5,"type":"media"}`,
		`{"content":"` + placeholder + `","media_type":"audio/wav","size":5.0,"type":"media"}`,
		`{"media_type":"audio/wav","content":"` + placeholder + `","size":5,"type":"media"}`,
	} {
		_, err := Decode([]byte(bad))
		require.Equal(t, protocol.KindCorrupt, protocol.KindOf(err), bad)
	}
}

// FuzzParseFormats gives each format's reader any bytes.
func FuzzParseFormats(f *testing.F) {
	entries, err := os.ReadDir("testdata/files")
	require.NoError(f, err)
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".pdf") { // PDFium is not ours to fuzz, and slow
			f.Add(e.Name(), []byte(sample(f, e.Name())))
		}
	}
	f.Add("a.docx", []byte(docxOf(f, map[string]string{"word/document.xml": paragraphs(para("Heading1", "a"), para("", "b"))})))
	f.Add("a.csv", []byte("a;b\n1;\"2\n3\"\n"))
	f.Fuzz(func(t *testing.T, name string, b []byte) {
		if strings.HasSuffix(strings.ToLower(name), ".pdf") {
			return
		}
		records, err := parse(name, string(b))
		if err != nil {
			return
		}
		for _, r := range records {
			back, err := Decode(r.Canonical)
			if err != nil || back.ID != r.ID {
				t.Fatalf("%q: %v", r.Canonical, err)
			}
		}
	})
}

func FuzzCleanName(f *testing.F) {
	f.Add("a/b.txt")
	f.Add(strings.Repeat("e\u0301", 200) + ".a")
	f.Fuzz(func(t *testing.T, s string) {
		clean := CleanName(s)
		if clean == "" || len(clean) > maxNameBytes || strings.ContainsAny(clean, "/\\\x00\n\r") || CleanName(clean) != clean {
			t.Fatalf("%q became %q", s, clean)
		}
	})
}
