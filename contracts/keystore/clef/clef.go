package clef

import (
	"context"
	"encoding/json"
	"math/big"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/accounts"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/openledger/openledger/contracts/keystore"
	"github.com/openledger/openledger/protocol"
)

// Config says where the signer is and for whom it signs.
type Config struct {
	// URL is the signer's address: http://, https://, or the path of a local socket.
	URL string
	// Account is who signs. Accounts and Version do without.
	Account protocol.Account
	// Approval is how long a person may take to approve. Default 10 min.
	Approval time.Duration
	// Method, when set, gives the signature of a contract's function by its call data,
	// such as "bond(uint256)", or "" when it is unknown. The signer checks it and shows
	// it to the person.
	Method func(data []byte) string
	// Waiting, when set, is told that a person is asked, and for what.
	Waiting func(what string)
}

// EnsureDefaults fills in what was left empty.
func (c *Config) EnsureDefaults() {
	if c.Approval == 0 {
		c.Approval = 10 * time.Minute
	}
	if c.Method == nil {
		c.Method = func([]byte) string { return "" }
	}
	if c.Waiting == nil {
		c.Waiting = func(string) {}
	}
}

// Validate says which field is wrong.
func (c *Config) Validate() error {
	if c.Approval < 0 {
		return protocol.Errorf(protocol.KindInvalid, "signer.approval", "must not be negative")
	}
	if filepath.IsAbs(c.URL) {
		return nil
	}
	u, err := url.Parse(c.URL)
	if err != nil { // the parser's error quotes the address
		return protocol.Errorf(protocol.KindInvalid, "signer", "is no address: give one like http://127.0.0.1:8550 or /run/clef.ipc")
	}
	switch {
	case (u.Scheme == "http" || u.Scheme == "https") && u.Host != "":
		return nil
	case (u.Scheme == "unix" || u.Scheme == "ipc") && filepath.IsAbs(u.Path) && u.Host == "":
		return nil
	}
	return protocol.Errorf(protocol.KindInvalid, "signer", "is no address of a signer: give http://HOST:PORT, https://HOST, or the absolute path of a socket")
}

// Signer signs for one account of an external signer.
type Signer struct {
	cfg   Config
	where string // for people

	mu     sync.Mutex
	client *rpc.Client // nil until the first call
}

var _ keystore.Signer = (*Signer)(nil)

// New makes a signer. It connects with the first call.
func New(cfg Config) (*Signer, error) {
	cfg.EnsureDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Signer{cfg: cfg, where: cfg.URL}
	if u, err := url.Parse(cfg.URL); err == nil && u.Scheme != "" {
		if s.where = u.Scheme + "://" + u.Host; u.Host == "" {
			s.cfg.URL, s.where = u.Path, u.Path
		}
	}
	return s, nil
}

// Close hangs up.
func (s *Signer) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client != nil {
		s.client.Close()
		s.client = nil
	}
}

// Account is who signs.
func (s *Signer) Account() protocol.Account { return s.cfg.Account }

// Attended says that a person may have to approve each signature: who sends does not
// ask twice without need.
func (s *Signer) Attended() bool { return true }

// String names the signer and the account.
func (s *Signer) String() string { return s.cfg.Account.Hex() + " at " + s.where }

// Version is the version of the signer's external API.
func (s *Signer) Version(ctx context.Context) (string, error) {
	var v string
	err := s.call(ctx, &v, "", "account_version")
	return v, err
}

// Accounts are those that the person lets us see.
func (s *Signer) Accounts(ctx context.Context) ([]protocol.Account, error) {
	var out []protocol.Account
	err := s.call(ctx, &out, "to list its accounts", "account_list")
	return out, err
}

// SignTx has a transaction signed.
func (s *Signer) SignTx(ctx context.Context, tx *types.Transaction, chainID *big.Int) (*types.Transaction, error) {
	args, err := transaction(tx, s.cfg.Account, chainID)
	if err != nil {
		return nil, err
	}
	var out struct {
		Raw hexutil.Bytes `json:"raw"`
	}
	params := []any{args}
	if method := s.cfg.Method(tx.Data()); tx.To() != nil && method != "" {
		params = append(params, method)
	}
	if err := s.call(ctx, &out, "to sign a transaction", "account_signTransaction", params...); err != nil {
		return nil, err
	}
	return s.checkTx(tx, chainID, out.Raw)
}

// SignTyped has an EIP-712 statement signed.
func (s *Signer) SignTyped(ctx context.Context, t keystore.Typed) ([]byte, error) {
	digest, err := t.Digest()
	if err != nil {
		return nil, err
	}
	document, err := t.JSON()
	if err != nil {
		return nil, err
	}
	var sig hexutil.Bytes
	if err := s.call(ctx, &sig, "to sign a statement", "account_signTypedData", s.cfg.Account.Hex(), json.RawMessage(document)); err != nil {
		return nil, err
	}
	return s.checkSignature(digest, sig)
}

// SignText has a text signed (EIP-191).
func (s *Signer) SignText(ctx context.Context, text string) ([]byte, error) {
	var sig hexutil.Bytes
	if err := s.call(ctx, &sig, "to sign a text", "account_signData", accounts.MimetypeTextPlain, s.cfg.Account.Hex(), hexutil.Bytes(text)); err != nil {
		return nil, err
	}
	return s.checkSignature(protocol.Hash(accounts.TextHash([]byte(text))), sig)
}

// call asks the signer. What is empty when no person is asked.
func (s *Signer) call(ctx context.Context, out any, what, method string, args ...any) error {
	limit := 30 * time.Second
	if what != "" {
		limit = s.cfg.Approval
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	client, err := s.connect(ctx)
	if err != nil {
		return s.failed(ctx, what, err)
	}
	if what != "" {
		s.cfg.Waiting("waiting for the signer at " + s.where + " " + what)
	}
	if err := client.CallContext(ctx, out, method, args...); err != nil {
		return s.failed(ctx, what, err)
	}
	return nil
}

func (s *Signer) connect(ctx context.Context) (*rpc.Client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client != nil {
		return s.client, nil
	}
	var err error
	if strings.HasPrefix(s.cfg.URL, "http") {
		s.client, err = rpc.DialOptions(ctx, s.cfg.URL, rpc.WithHTTPClient(&http.Client{Transport: limited{http.DefaultTransport}}))
	} else {
		s.client, err = rpc.DialIPC(ctx, s.cfg.URL)
	}
	return s.client, err
}
