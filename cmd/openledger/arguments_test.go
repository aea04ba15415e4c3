package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A verb that does not exist, and arguments that are too many or too few, are errors that
// say where to look; a group by itself shows its verbs.
func TestUnknownVerbsAndMissingArgumentsAreExplained(t *testing.T) {
	for _, c := range []struct {
		words []string
		args  []string
	}{
		{[]string{`verb: "upload" is none of 'openledger datanet'`, "'openledger datanet --help'"}, []string{"datanet", "upload"}},
		{[]string{`"contribut" is none of 'openledger datanet'; did you mean contribute?`}, []string{"--json", "datanet", "contribut", "1"}},
		{[]string{`"rotat" is none of 'openledger coordinator`}, []string{"coordinator", "rotat"}},
		{[]string{"arguments: accepts 1 arg(s), received 0", "openledger quote train DATANET", "'openledger quote train --help'"}, []string{"quote", "train"}},
		{[]string{"unknown command"}, []string{"dataset"}},
	} {
		_, err := inProcess(t, c.args...)
		for _, w := range c.words {
			require.ErrorContains(t, err, w, "%v", c.args)
		}
	}
	for _, args := range [][]string{{"datanet"}, {"datanet", "--help"}, {"datanet", "--api", "http://127.0.0.1:1"}, {"help", "datanet"}} {
		out, err := inProcess(t, args...)
		require.NoError(t, err, "%v", args)
		require.Contains(t, out, "contribute", "%v", args)
	}
}
