package datanet

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store/ipfs"
)

func TestCanonicalForm(t *testing.T) {
	r, err := NewText(map[string]string{
		"title":  "The Cafe\u0301", // e and a combining accent
		"text":   "a <b> & \"c\"\n\t\\ \u2028 \x01",
		"\ue000": "1", "\U0001f600": "2", // sorted by UTF-16 code units
	})
	require.NoError(t, err)
	require.Equal(t,
		`{"fields":{"text":"a <b> & \"c\"\n\t\\ `+"\u2028"+` \u0001","title":"The Caf`+"\u00e9"+`","`+"\U0001f600"+`":"2","`+"\ue000"+`":"1"},"type":"text"}`,
		string(r.Canonical))
	require.Equal(t, protocol.Hash(sha256.Sum256(r.Canonical)), r.ID)

	o, err := NewOpaque("image/png", []byte{0, 1, 2})
	require.NoError(t, err)
	require.Equal(t, `{"data":"AAEC","media_type":"image/png","type":"opaque"}`, string(o.Canonical))
	require.Equal(t, "bafkreie5va52yujyyq3l4ur6ul62vuehbbcnrauoop7vyivy7wcro6loqe", string(o.CID()))
}

func TestDecodeTakesCanonicalFormOnly(t *testing.T) {
	r, err := NewText(map[string]string{"title": "Fox", "text": "Grapes"})
	require.NoError(t, err)
	back, err := Decode(r.Canonical)
	require.NoError(t, err)
	require.Equal(t, r, back)
	for _, bad := range []string{
		"", "null", "{}", `{"type":"text"}`, `{"fields":{},"type":"text"}`, `{"type":"text","fields":{"a":"b"}}`,
		`{"fields":{"a":"b"},"type":"text"} `, `{"fields":{"a":"b"},"type":"text"}{}`, `{"fields":{"a":"\u0062"},"type":"text"}`,
		`{"fields":{"a":"b","a":"b"},"type":"text"}`, `{"fields":{"b":"","a":"b"},"type":"text"}`, `{"fields":{"a":1},"type":"text"}`,
		`{"fields":{"a":"b"},"type":"text","more":1}`, `{"fields":{"a":"b"},"media_type":"a/b","type":"text"}`, `{"fields":{"a":"e` + "\u0301" + `"},"type":"text"}`,
		`{"data":"AAE","media_type":"a/b","type":"opaque"}`, `{"data":"AAEC","media_type":"A/b","type":"opaque"}`,
		`{"data":"AAEC","type":"opaque"}`, `{"data":"AA\nEC","media_type":"a/b","type":"opaque"}`, `{"fields":{"a":"` + "\xff" + `"},"type":"text"}`,
		strings.Repeat("[", 100_000),
	} {
		_, err := Decode([]byte(bad))
		require.Equal(t, protocol.KindCorrupt, protocol.KindOf(err), "%.80q: %v", bad, err)
	}
}

// parse reads a file in memory; files of media are hashed and dropped.
func parse(name, content string) ([]Record, error) {
	var out []Record
	err := Parse(context.Background(), File{name, strings.NewReader(content), int64(len(content))}, Target{
		Record: func(r Record) error { out = append(out, r); return nil },
		Store: func(_ context.Context, r io.Reader) (protocol.CID, error) {
			b, err := io.ReadAll(r)
			return ipfs.CIDText(ipfs.RawCID(b)), err
		},
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func TestParseJSONL(t *testing.T) {
	got, err := parse("fables.jsonl", "\xef\xbb\xbf{\"title\":\"Fox\",\"text\":\"Grapes\"}\r\n\n  {\"text\":\"b\"}")
	require.NoError(t, err)
	require.Len(t, got, 2)
	require.Equal(t, map[string]string{"title": "Fox", "text": "Grapes"}, got[0].Fields)
	require.Equal(t, "Fox", got[0].Title())
	require.Equal(t, "b", got[1].Title())
	same, err := parse("x.JSONL", `{"text":"Grapes", "title" : "F\u006fx"}`)
	require.NoError(t, err)
	require.Equal(t, got[0].ID, same[0].ID, "the form of the JSON does not matter")
}

func TestParseErrorsNameLineAndField(t *testing.T) {
	input := strings.Join([]string{
		`{"title":"fine","text":"fine"}`,
		`{"title":"Fox","year":1919}`,
		`["a"]`,
		`{"a":"1","a":"2"}`,
		`{"a":null}`, `{"a":{"b":"c"}}`, `{"a":["b"]}`, `{"a":true}`,
		`{"a":"b"`,
		`{"a":"b"} {"c":"d"}`,
		`{"a":"` + "\xff" + `"}`,
		`{"a":"\ud800"}`,
		`{}`, `{"a":" "}`, `{"":"a"}`, `{"a{b":"c"}`,
		`{a:"b"}`,
	}, "\n")
	_, err := parse("dir/fables.jsonl", input)
	require.Equal(t, protocol.KindInvalid, protocol.KindOf(err))
	var pe *ParseError
	require.True(t, errors.As(err, &pe))
	require.Len(t, pe.Lines, 16, "%v", err)
	for i, l := range pe.Lines {
		require.Equal(t, i+2, l.Line)
		require.Equal(t, "fables.jsonl", l.File)
		require.NotEmpty(t, l.Message)
	}
	require.Equal(t, "fables.jsonl:2: field year: is a number: fields are text, put it in quotes", pe.Lines[0].Error())
	require.Equal(t, "a", pe.Lines[2].Field)

	_, err = parse("many.jsonl", strings.Repeat("1\n", 100))
	require.True(t, errors.As(err, &pe))
	require.Len(t, pe.Lines, 20)
	require.True(t, pe.More)

	for name, input := range map[string]string{
		"empty.jsonl": "\n\n", "empty.md": " \n", "bad.txt": "\xff\xfe", "empty.bin": "", "program.exe": "MZ",
		"long.jsonl": `{"a":"` + strings.Repeat("x", maxLineBytes) + `"}`,
		"big.jsonl":  `{"a":"` + strings.Repeat("x", protocol.MaxRecordBytes) + `"}`,
		"big.txt":    strings.Repeat("x", 2*protocol.MaxRecordBytes+1),
		"wide.jsonl": `{` + strings.Repeat(`"a":"b",`, 3) + `"c":"d"}`,
	} {
		_, err := parse(name, input)
		require.Equal(t, protocol.KindInvalid, protocol.KindOf(err), "%s: %v", name, err)
		require.ErrorContains(t, err, name)
	}
}

func TestParseProse(t *testing.T) {
	for _, c := range []struct{ name, text, title, want string }{
		{"fox.md", "# The Fox #\r\n\r\nGrapes.\r\n", "The Fox", "# The Fox #\n\nGrapes."},
		{"fox.md", "The Fox\n=======\nGrapes.", "The Fox", "The Fox\n=======\nGrapes."},
		{"the fox.md", "```\n# not this\n```\n#nor this\nGrapes.", "the fox", "```\n# not this\n```\n#nor this\nGrapes."},
		{"fox.txt", "# Grapes\n", "fox", "# Grapes"},
		{`C:\fables\fox.TXT`, "Grapes", "fox", "Grapes"},
	} {
		got, err := parse(c.name, c.text)
		require.NoError(t, err)
		require.Equal(t, map[string]string{"title": c.title, "text": c.want}, got[0].Fields)
	}
}

// Whatever text goes in, its canonical form is valid JSON, says the same, and
// comes back to itself.
func TestCanonicalRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.MapOfN(rapid.StringMatching(`[a-zA-Z_é\x{1F600}\x{FFFD}-]{1,8}`), rapid.String(), 1, 5).Draw(t, "fields")
		r, err := NewText(in)
		if err != nil {
			return
		}
		var plain struct {
			Fields map[string]string `json:"fields"`
		}
		if err := json.Unmarshal(r.Canonical, &plain); err != nil {
			t.Fatal(err)
		}
		for k, v := range plain.Fields {
			if r.Fields[k] != v {
				t.Fatalf("%q became %q", r.Fields[k], v)
			}
		}
		back, err := Decode(r.Canonical)
		if err != nil || back.ID != r.ID {
			t.Fatalf("%s: %v", r.Canonical, err)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add("a.jsonl", []byte("{\"a\":\"b\"}\n{\"c\":1}"))
	f.Add("a.md", []byte("# A\ntext"))
	f.Add("a.txt", []byte("text"))
	f.Add("a.bin", []byte{0, 1})
	f.Add("a.jsonl", []byte(`{"a":"\ud83d\ude00"}`))
	f.Fuzz(func(t *testing.T, name string, b []byte) {
		records, err := parse(name, string(b))
		if err != nil {
			if records != nil {
				t.Fatal("records beside an error")
			}
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

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"fields":{"a":"b"},"type":"text"}`))
	f.Add([]byte(`{"data":"AAEC","media_type":"image/png","type":"opaque"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Decode(b)
		if err == nil && !bytes.Equal(r.Canonical, b) {
			t.Fatalf("%q decoded as %q", b, r.Canonical)
		}
	})
}

func FuzzDecodeManifest(f *testing.F) {
	m := Manifest{Format: ManifestFormat, Datanet: 1, Version: 1, Name: "n", License: "CC0-1.0",
		Records: []ManifestRecord{{CID: "bafkreie5va52yujyyq3l4ur6ul62vuehbbcnrauoop7vyivy7wcro6loqe", At: 5, Signature: []byte{1}}}}
	f.Add(m.Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := DecodeManifest(b)
		if err == nil && !bytes.Equal(m.Encode(), b) {
			t.Fatalf("%q", b)
		}
	})
}

func TestLicense(t *testing.T) {
	for _, ok := range []string{"CC0-1.0", "CC-BY-4.0", "MIT OR Apache-2.0", "GPL-2.0-or-later WITH Classpath-exception-2.0", "LicenseRef-ours"} {
		require.NoError(t, CheckLicense(ok), ok)
	}
	for _, bad := range []string{"", "public domain", "CC0", "MIT OR", strings.Repeat("(", 200), strings.Repeat("x", 300)} {
		require.Equal(t, protocol.KindInvalid, protocol.KindOf(CheckLicense(bad)), bad)
	}
}

func FuzzCheckLicense(f *testing.F) {
	f.Add("MIT OR (Apache-2.0 AND CC-BY-4.0)")
	f.Add("((")
	f.Fuzz(func(_ *testing.T, s string) { _ = CheckLicense(s) })
}
