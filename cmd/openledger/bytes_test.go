package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestByteSize(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "7": 7, "1KiB": 1 << 10, "500MiB": 500 << 20, "2 GiB": 2 << 30, "8388607TiB": 8388607 << 40} {
		var b byteSize
		require.NoError(t, b.Set(text), text)
		require.EqualValues(t, want, b)
		var again byteSize
		require.NoError(t, again.Set(b.String()))
		require.Equal(t, b, again)
	}
	for _, text := range []string{"", "-1", "1.5GiB", "GiB", "8388608TiB", "1GB", "0x10", "99999999999999999999"} {
		require.Error(t, new(byteSize).Set(text), text)
	}
}

// What is wrong with a coordinator's settings is said before any file is looked at.
func TestCoordinatorSettingsAreCheckedFirst(t *testing.T) {
	home := t.TempDir()
	missing := filepath.Join(home, "none.json")
	for flag, value := range map[string]string{"--tool-host": "http://tools.lan/", "--uploads-per-day": "0"} {
		_, err := inHome(t, home, "coordinator", "run", "--deployment", missing, flag, value)
		require.ErrorContains(t, err, flag)
		require.NotContains(t, err.Error(), "none.json")
	}
	_, err := inHome(t, home, "coordinator", "run", "--deployment", missing, "--tool-host", "tools.lan:9000", "--uploads-per-day", "1MiB")
	require.ErrorContains(t, err, "none.json")
}
