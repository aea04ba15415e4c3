// Package openledger_test holds the rules of the repository that no single
// package can keep: who may import whom, which rooms stay pure, and what stands
// at the top level.
package openledger_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/openledger/openledger/"

// grants says what each package may import of ours. A trailing "/..." stands for
// a package and everything below it. The most specific row counts; a package with
// no row is an error. docs/architecture.md explains the rows.
var grants = map[string][]string{
	"protocol":                 {},
	"protocol/payout":          {"protocol"},
	"protocol/wire":            {"protocol", "protocol/wire/..."},
	"protocol/wire/...":        {"protocol/wire/..."},
	"protocol/p2p":             {"protocol", "protocol/wire/..."},
	"scheduler":                {"protocol"},
	"cuda":                     {},
	"worker/engine/...":        {"worker/engine/..."},
	"worker/engine/tensor/gpu": {"worker/engine/...", "cuda"},
	"worker/finetune":          {"worker/engine/..."},
	"worker/attrib":            {"protocol", "worker/engine/..."},
	"worker/settle":            {"protocol", "protocol/payout", "store", "contracts/chain"},
	"worker/epoch":             {"protocol", "protocol/payout", "contracts/chain", "worker/settle"},
	"worker":                   {"protocol/...", "store/...", "worker/...", "cuda", "contracts/chain"},
	"worker/adapter":           {"protocol", "store/ipfs", "contracts/chain", "worker/attrib", "worker/engine/..."},
	"worker/sources":           {"protocol", "store/agent", "store/datanet", "store/ipfs", "contracts/chain"},
	"worker/audit":             {"protocol/...", "worker/adapter", "worker/attrib", "worker/engine/..."},
	"worker/validator":         {"protocol/...", "store", "worker/settle", "worker/epoch", "worker/audit", "worker/adapter", "contracts/chain", "contracts/events"},
	"worker/doctor":            {"protocol/...", "cuda", "contracts/chain"},
	"coordinator":              {"protocol/...", "store/...", "scheduler", "coordinator/...", "contracts/chain"},
	"coordinator/api":          {"protocol", "coordinator/web"},
	"coordinator/mcpclient":    {"protocol"},
	"coordinator/mcpserver":    {"protocol"},
	"coordinator/retrieval":    {"protocol"},
	"coordinator/web":          {},
	"store":                    {"protocol"},
	"store/ipfs":               {"protocol", "store"},
	"store/agent":              {"protocol", "store/ipfs"},
	"store/datanet":            {"protocol", "store", "store/ipfs"},
	"contracts/bindings":       {},
	"contracts/chain":          {"protocol", "contracts/bindings"},
	"contracts/events":         {"protocol", "store", "contracts/chain"},
	"contracts/devchain":       {"protocol", "contracts/..."},
	"contracts/genesis":        {},
	"contracts/supply":         {"protocol"},
	"contracts/keystore":       {"protocol"},
	"sim":                      {"protocol", "protocol/payout", "scheduler"},
	"sim/cluster":              {"..."},
	"cmd/...":                  {"..."},
	"sdk/generate":             {},

	"contracts/keystore/clef":          {"protocol", "contracts/keystore"},
	"contracts/keystore/clef/cleftest": {"protocol", "contracts/keystore"},
}

// pure rooms decide and count: the same input gives the same output, everywhere.
// Each ban names what to do instead.
var pure = []string{"protocol/payout", "scheduler", "worker/engine/kvcache"}

var impure = map[string]string{
	"time":         "take the time as an int64 in the event",
	"math/rand":    "take a seed in the Config",
	"math/rand/v2": "take a seed in the Config",
	"crypto/rand":  "take a seed in the Config",
	"os":           "let the caller read files",
	"net":          "return an effect and let the caller send it",
	"sync":         "keep the room single-threaded; the shell around it locks",
	"log":          "return what is worth knowing",
	"log/slog":     "return what is worth knowing",
}

// topLevel is everything that may stand at the root.
var topLevel = map[string]bool{
	"worker": true, "coordinator": true, "protocol": true, "scheduler": true, "cuda": true, "store": true,
	"contracts": true, "sim": true, "cmd": true, "docs": true, "sdk": true,
	"go.mod": true, "go.sum": true, "README.md": true, "LICENSE": true, "Makefile": true,
	"CONTRIBUTING.md": true, "SECURITY.md": true, "layering_test.go": true,
}

// sourceFiles walks the tree itself rather than asking go list, which skips files
// behind build tags.
func sourceFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && p != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules" || d.Name() == "testdata" || d.Name() == "bin"):
			return fs.SkipDir
		case strings.HasSuffix(p, ".go"):
			files = append(files, filepath.ToSlash(p))
		}
		return nil
	})
	require.NoError(t, err)
	require.NotEmpty(t, files)
	return files
}

func TestImportsFollowTheTable(t *testing.T) {
	for _, file := range sourceFiles(t) {
		dir := path.Dir(file)
		if dir == "." {
			continue
		}
		row, ok := rowOf(dir)
		if !ok {
			t.Errorf("%s: package %s has no row in the table of imports: give it one, and explain it in docs/architecture.md", file, dir)
			continue
		}
		isTest := strings.HasSuffix(file, "_test.go")
		for _, imported := range imports(t, file) {
			ours, isOurs := strings.CutPrefix(imported, module)
			if why, banned := impure[imported]; banned && !isTest && isPure(dir) {
				t.Errorf("%s imports %q, but %s is pure: %s", file, imported, dir, why)
			}
			if !isOurs || ours == dir || isTest && strings.HasPrefix(ours, dir+"/") {
				continue
			}
			allowed := granted(grants[row], ours) || isTest && testMay(dir, ours)
			if !allowed {
				t.Errorf("%s imports %s, which the row of %q does not grant", file, ours, row)
			}
			if strings.HasPrefix(dir, "worker") && strings.HasPrefix(ours, "coordinator") ||
				strings.HasPrefix(dir, "coordinator") && strings.HasPrefix(ours, "worker") {
				t.Errorf("%s: worker and coordinator never import each other", file)
			}
		}
	}
}

// testMay widens a row for tests only: a test of settlement runs a real chain and
// signs real receipts, and that of a store verifies real signatures.
func testMay(dir, ours string) bool {
	switch dir {
	case "worker/settle", "worker/epoch":
		return granted([]string{"protocol/...", "contracts/..."}, ours)
	case "worker/validator":
		return granted([]string{"protocol/...", "contracts/...", "worker/...", "store/..."}, ours)
	case "contracts/events":
		return granted([]string{"contracts/..."}, ours)
	case "contracts/chain", "contracts/keystore/clef":
		return granted([]string{"protocol/...", "contracts/..."}, ours)
	case "contracts/devchain", "store/datanet", "store/ipfs":
		return granted([]string{"protocol/...", "store/..."}, ours)
	case "worker/adapter":
		return granted([]string{"store"}, ours)
	case "coordinator", "worker":
		return granted([]string{"contracts/..."}, ours)
	}
	return false
}

func TestPureRoomsExist(t *testing.T) {
	for _, room := range pure {
		_, err := os.Stat(room)
		require.NoError(t, err, "the pure room %s moved: its ban on impure imports must move with it", room)
	}
}

func TestTopLevelIsFixed(t *testing.T) {
	entries, err := os.ReadDir(".")
	require.NoError(t, err)
	for _, e := range entries {
		if name := e.Name(); !strings.HasPrefix(name, ".") && name != "bin" && !topLevel[name] {
			t.Errorf("%s does not belong at the top level: find the room it is about", name)
		}
	}
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	documented := map[string]bool{}
	for _, file := range sourceFiles(t) {
		dir := path.Dir(file)
		if strings.HasSuffix(file, "_test.go") || dir == "." || isGenerated(dir) {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments|parser.PackageClauseOnly)
		require.NoError(t, err)
		documented[dir] = documented[dir] || f.Doc != nil
	}
	var missing []string
	for dir, ok := range documented {
		if !ok {
			missing = append(missing, dir)
		}
	}
	sort.Strings(missing)
	require.Empty(t, missing, "these packages have no package comment: say what each is for, its invariants, and what it does not do")
}

func isGenerated(dir string) bool {
	return strings.HasSuffix(dir, "/pb") || dir == "contracts/bindings"
}

func isPure(dir string) bool {
	for _, room := range pure {
		if dir == room {
			return true
		}
	}
	return false
}

func imports(t *testing.T, file string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	require.NoError(t, err)
	var out []string
	for _, spec := range f.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		require.NoError(t, err)
		out = append(out, p)
	}
	return out
}

// rowOf finds the most specific row for a package.
func rowOf(dir string) (string, bool) {
	if _, ok := grants[dir]; ok {
		return dir, true
	}
	for p := dir; p != "."; p = path.Dir(p) {
		if _, ok := grants[p+"/..."]; ok {
			return p + "/...", true
		}
	}
	return "", false
}

func granted(row []string, ours string) bool {
	for _, g := range row {
		if g == "..." || g == ours {
			return true
		}
		if prefix, ok := strings.CutSuffix(g, "/..."); ok && (ours == prefix || strings.HasPrefix(ours, prefix+"/")) {
			return true
		}
	}
	return false
}
