package node

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/openledger/openledger/contracts/keystore"
	"github.com/openledger/openledger/protocol"
)

// Home is a folder that belongs to one node or one user.
type Home struct{ Dir string }

// Path joins names under the home.
func (h Home) Path(names ...string) string {
	return filepath.Join(append([]string{h.Dir}, names...)...)
}

// Make creates the folder, readable by its owner only.
func (h Home) Make(names ...string) error { return os.MkdirAll(h.Path(names...), 0o700) }

// Password reads the home's password file, or makes one with a random password. It
// protects the key files when they are copied without it, nothing more; an operator
// who wants more passes another file and keeps it elsewhere.
func (h Home) Password(file string) (string, error) {
	if file == "" {
		file = h.Path("password")
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			var b [24]byte
			if _, err := rand.Read(b[:]); err != nil {
				return "", err
			}
			if err := h.Make(); err != nil {
				return "", err
			}
			if err := WriteFile(file, []byte(hex.EncodeToString(b[:])+"\n"), 0o600); err != nil {
				return "", err
			}
		}
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return "", protocol.Errorf(protocol.KindInvalid, "password-file", "%w: name a file whose first line is the password", err)
	}
	line, _, _ := strings.Cut(string(raw), "\n")
	if line = strings.TrimRight(line, "\r"); line == "" {
		return "", protocol.Errorf(protocol.KindInvalid, "password-file", "%s is empty: its first line is the password", file)
	}
	return line, nil
}

// Wallet is a home's key files, opened with its password.
type Wallet struct {
	store    *keystore.Store
	password string
	names    string // file of account names
}

// Wallet opens the home's key files. Light key files are for development networks.
func (h Home) Wallet(passwordFile string, light bool) (*Wallet, error) {
	password, err := h.Password(passwordFile)
	if err != nil {
		return nil, err
	}
	store, err := keystore.Open(keystore.Config{Dir: h.Path("keys"), Light: light})
	if err != nil {
		return nil, err
	}
	return &Wallet{store: store, password: password, names: h.Path("keys", "names.json")}, nil
}

// Names lists the accounts that have a name.
func (w *Wallet) Names() (map[string]protocol.Account, error) {
	names := map[string]protocol.Account{}
	err := ReadJSON(w.names, &names)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return names, err
}

// Key opens the key of an account, given by name or address.
func (w *Wallet) Key(nameOrAddress string) (*keystore.Key, error) {
	names, err := w.Names()
	if err != nil {
		return nil, err
	}
	account, ok := names[nameOrAddress]
	if !ok {
		if !isAddress(nameOrAddress) {
			return nil, protocol.Errorf(protocol.KindNotFound, "account", "there is no account %q in this wallet: 'openledger wallet list' shows them, 'openledger wallet create' makes one", nameOrAddress)
		}
		account = address(nameOrAddress)
	}
	defer forget()
	return w.store.Load(account, w.password)
}

// forget gives the memory back that a key file's password hash took, a quarter of a
// GiB by design: a worker must not hold it for as long as it runs.
func forget() { debug.FreeOSMemory() }

// Ensure opens the named key, making it when there is none.
func (w *Wallet) Ensure(name string) (*keystore.Key, error) {
	names, err := w.Names()
	if err != nil {
		return nil, err
	}
	if _, ok := names[name]; ok {
		return w.Key(name)
	}
	return w.Create(name)
}

// Create makes a key under a name.
func (w *Wallet) Create(name string) (*keystore.Key, error) {
	if name == "" || len(name) > protocol.MaxNameBytes || isAddress(name) {
		return nil, protocol.Errorf(protocol.KindInvalid, "name", "%q can't be an account's name: use 1 to %d characters that are not an address", name, protocol.MaxNameBytes)
	}
	names, err := w.Names()
	if err != nil {
		return nil, err
	}
	if _, taken := names[name]; taken {
		return nil, protocol.Errorf(protocol.KindExists, "name", "there is an account %q already", name)
	}
	defer forget()
	key, err := w.store.Create(w.password)
	if err != nil {
		return nil, err
	}
	names[name] = key.Account()
	return key, WriteJSON(w.names, names)
}

// Accounts lists all accounts in the wallet.
func (w *Wallet) Accounts() ([]protocol.Account, error) { return w.store.List() }

// ReadJSON reads a small JSON file.
func ReadJSON(path string, v any) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return protocol.Errorf(protocol.KindCorrupt, "", "%s: %w", path, err)
	}
	return nil
}

// WriteJSON writes a JSON file whole or not at all.
func WriteJSON(path string, v any) error {
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return WriteFile(path, append(raw, '\n'), 0o600)
}

// WriteFile writes a file whole or not at all.
func WriteFile(path string, data []byte, mode os.FileMode) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(), os.Remove(f.Name()))
		}
	}()
	if err := f.Chmod(mode); err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
