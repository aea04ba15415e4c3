package datanet

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/openledger/openledger/protocol"
)

// Names of fields that the export adds to each record. A record's own field of
// the same name gets another underscore.
const (
	colCID         = "_cid"
	colContributor = "_contributor"
	colType        = "_type"
	colMediaType   = "_media_type"
	colData        = "_data"
	colContent     = "_content"
	colSize        = "_size"
	colCodec       = "_codec"
	colWidth       = "_width"
	colHeight      = "_height"
	colDuration    = "_duration_ms"
)

// mediaColumns are those of media records beside the media type.
var mediaColumns = []string{colContent, colSize, colCodec, colWidth, colHeight, colDuration}

// WriteJSONL writes the records one per line, by id: their fields, and who
// contributed them.
func (v *OpenedVersion) WriteJSONL(w io.Writer) error {
	columns := v.columns()
	var line []byte
	for i := range v.Records {
		r := &v.Records[i]
		row := map[string]string{colCID: string(r.CID()), colContributor: r.Contributor.Hex(), colType: string(r.Type)}
		if r.Type == TypeOpaque {
			row[colMediaType] = r.MediaType
			row[colData] = base64.StdEncoding.EncodeToString(r.Data)
		}
		if m := r.Media; m != nil {
			row[colMediaType], row[colContent], row[colCodec] = m.MediaType, string(m.Content), m.Codec
			for name, n := range map[string]int64{colSize: m.Size, colWidth: int64(m.Width), colHeight: int64(m.Height), colDuration: m.Duration} {
				if n != 0 {
					row[name] = strconv.FormatInt(n, 10)
				}
			}
		}
		for name, value := range r.Fields {
			row[column(name)] = value
		}
		for _, name := range columns {
			if _, ok := row[name]; !ok {
				row[name] = "" // every line has every column
			}
		}
		line = append(appendFields(line[:0], row), '\n')
		if _, err := w.Write(line); err != nil {
			return fmt.Errorf("datanet: write records: %w", err)
		}
	}
	return nil
}

func column(field string) string {
	if strings.HasPrefix(field, "_") {
		return "_" + field
	}
	return field
}

// columns are the names in the lines of WriteJSONL, the added ones first.
func (v *OpenedVersion) columns() []string {
	out := []string{colCID, colContributor, colType}
	seen := map[string]bool{}
	opaque, media := false, false
	var fields []string
	for i := range v.Records {
		opaque = opaque || v.Records[i].Type == TypeOpaque
		media = media || v.Records[i].Type == TypeMedia
		for name := range v.Records[i].Fields {
			if !seen[name] {
				seen[name] = true
				fields = append(fields, column(name))
			}
		}
	}
	slices.SortFunc(fields, compareUTF16)
	if opaque || media {
		out = append(out, colMediaType)
	}
	if opaque {
		out = append(out, colData)
	}
	if media {
		out = append(out, mediaColumns...)
	}
	return append(out, fields...)
}

// ExportedFile is a file that a description refers to.
type ExportedFile struct {
	Name   string        `json:"name"`
	Bytes  int64         `json:"bytes"`
	SHA256 protocol.Hash `json:"sha256"`
}

// Croissant describes a version as a dataset in the Croissant 1.0 format of
// MLCommons (JSON-LD): archive is the CAR, records what WriteJSONL wrote.
func (v *OpenedVersion) Croissant(archive, records ExportedFile) ([]byte, error) {
	m := v.Manifest
	object := func(f ExportedFile, media, description string) map[string]any {
		return map[string]any{
			"@type": "cr:FileObject", "@id": f.Name, "name": f.Name, "description": description,
			"contentUrl": f.Name, "encodingFormat": media, "contentSize": fmt.Sprintf("%d B", f.Bytes),
			"sha256": fmt.Sprintf("%x", f.SHA256[:]),
		}
	}
	var fields []any
	for _, name := range v.columns() {
		fields = append(fields, map[string]any{
			"@type": "cr:Field", "@id": "records/" + name, "name": name, "description": describe(name),
			"dataType": "sc:Text",
			"source": map[string]any{
				"fileObject": map[string]any{"@id": records.Name},
				"extract":    map[string]any{"column": name},
			},
		})
	}
	description := m.Description
	if strings.TrimSpace(description) == "" {
		description = m.Name
	}
	doc := map[string]any{
		"@context":      croissantContext(),
		"@type":         "sc:Dataset",
		"conformsTo":    "http://mlcommons.org/croissant/1.0",
		"name":          m.Name,
		"description":   description,
		"license":       licenseURL(m.License),
		"url":           "ipfs://" + string(v.Root),
		"identifier":    string(v.Root),
		"citeAs":        fmt.Sprintf("%s, version %d, ipfs://%s", m.Name, m.Version, v.Root),
		"version":       fmt.Sprintf("%d.0.0", m.Version),
		"datePublished": v.newest().Format(time.DateOnly),
		"creator":       v.creators(),
		"publisher":     map[string]any{"@type": "sc:Organization", "name": m.Owner.Hex()},
		"distribution": append([]any{
			object(archive, "application/vnd.ipld.car", "The version as a content-addressed archive with root "+string(v.Root)),
			object(records, "application/jsonlines", "The records, one per line"),
		}, v.mediaFiles(archive)...),
		"recordSet": []any{map[string]any{
			"@type": "cr:RecordSet", "@id": "records", "name": "records",
			"description": "One record per line with its content identifier and its contributor",
			"key":         map[string]any{"@id": "records/" + colCID}, "field": fields,
		}},
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(doc); err != nil { // encoding/json sorts the names of maps
		return nil, fmt.Errorf("datanet: describe: %w", err)
	}
	return out.Bytes(), nil
}

// mediaFiles describes the pictures, sounds and videos inside the archive, a set of each
// media type.
func (v *OpenedVersion) mediaFiles(archive ExportedFile) []any {
	var types []string
	for i := range v.Records {
		if m := v.Records[i].Media; m != nil && !slices.Contains(types, m.MediaType) {
			types = append(types, m.MediaType)
		}
	}
	slices.Sort(types)
	var out []any
	for _, t := range types {
		out = append(out, map[string]any{
			"@type": "cr:FileSet", "@id": mediaDirectory + "/" + t, "name": mediaDirectory + "/" + t, "encodingFormat": t,
			"description": "Files of media records, by the CID in the column " + colContent,
			"containedIn": map[string]any{"@id": archive.Name}, "includes": mediaDirectory + "/*",
		})
	}
	return out
}

func describe(column string) string {
	switch column {
	case colCID:
		return "Content identifier of the record's canonical form"
	case colContributor:
		return "Account of the contributor, who signed the record"
	case colType:
		return "text, opaque or media"
	case colMediaType:
		return "Media type of an opaque or media record"
	case colContent:
		return "CID of a media record's file, which is in the archive under media/"
	case colSize:
		return "Bytes of a media record's file"
	case colCodec:
		return "What a media record's file is encoded with"
	case colWidth, colHeight:
		return "Pixels"
	case colDuration:
		return "Milliseconds"
	case colData:
		return "Bytes of an opaque record in base64"
	}
	return "Field " + column + " of the record"
}

// licenseURL is SPDX's page of a single licence, or the expression as it is.
func licenseURL(expression string) string {
	if strings.ContainsAny(expression, " ()+:") || strings.HasPrefix(expression, "LicenseRef-") {
		return expression
	}
	return "https://spdx.org/licenses/" + expression + ".html"
}

// newest is when the last record of the version was contributed, so that the same
// version always has the same description.
func (v *OpenedVersion) newest() time.Time {
	var at int64
	for _, r := range v.Manifest.Records {
		at = max(at, r.At)
	}
	return time.UnixMilli(at).UTC()
}

func (v *OpenedVersion) creators() []any {
	accounts := make([]string, 0, len(v.Records))
	for _, r := range v.Manifest.Records {
		accounts = append(accounts, r.Contributor.Hex())
	}
	slices.Sort(accounts)
	var out []any
	for _, a := range slices.Compact(accounts) {
		out = append(out, map[string]any{"@type": "sc:Person", "name": a, "identifier": a})
	}
	return out
}

func croissantContext() map[string]any {
	c := map[string]any{
		"@language": "en", "@vocab": "https://schema.org/",
		"cr": "http://mlcommons.org/croissant/", "rai": "http://mlcommons.org/croissant/RAI/",
		"dct": "http://purl.org/dc/terms/", "sc": "https://schema.org/",
		"conformsTo": "dct:conformsTo",
		"data":       map[string]any{"@id": "cr:data", "@type": "@json"},
		"dataType":   map[string]any{"@id": "cr:dataType", "@type": "@vocab"},
		"examples":   map[string]any{"@id": "cr:examples", "@type": "@json"},
	}
	for _, name := range []string{
		"citeAs", "column", "equivalentProperty", "extract", "field", "fileObject", "fileProperty", "fileSet", "format", "includes",
		"isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet", "references", "regex",
		"repeated", "replace", "samplingRate", "separator", "source", "subField", "transform",
	} {
		c[name] = "cr:" + name
	}
	return c
}
