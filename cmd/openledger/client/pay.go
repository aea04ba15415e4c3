package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/contracts/keystore"
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
)

// Payer pays for requests that are answered with 402 (x402) and sends them again. Each
// payment is good for its one request, and all of them together for Max at most: what was
// signed counts in full until the answer says what it cost.
type Payer struct {
	Signer keystore.Signer
	// Domain is the escrow's: payments from any other contract are not signed.
	Domain wire.Domain
	PayTo  protocol.Account // the coordinator's session key
	Max    uint256.Int      // wei
	Next   http.RoundTripper

	mu    sync.Mutex
	spent uint256.Int
}

// maxPaidBody bounds the body of a request that is paid.
const maxPaidBody = 4 << 20

// RoundTrip sends a request, and once more with a payment if it is asked for one.
func (p *Payer) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		raw, err := io.ReadAll(io.LimitReader(r.Body, maxPaidBody+1))
		_ = r.Body.Close()
		if err != nil {
			return nil, err
		}
		if len(raw) > maxPaidBody {
			return nil, protocol.Errorf(protocol.KindTooLarge, "body", "a request that is paid for itself has %d bytes at most", maxPaidBody)
		}
		body = raw
	}
	send := func(payment string) (*http.Response, error) {
		again := r.Clone(r.Context())
		again.Body, again.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		again.Header.Del("Authorization")
		if payment != "" {
			again.Header.Set(api.PaymentSignatureHeader, payment)
		}
		return p.Next.RoundTrip(again)
	}
	res, err := send("")
	if err != nil || res.StatusCode != http.StatusPaymentRequired || res.Header.Get(api.PaymentRequiredHeader) == "" {
		return res, err
	}
	_ = res.Body.Close()
	payment, value, err := p.sign(r.Context(), res.Header.Get(api.PaymentRequiredHeader), protocol.RequestDigest(r.Method, r.URL.Path, body))
	if err != nil {
		return nil, err
	}
	res, err = send(payment)
	if err == nil {
		p.settle(res, value)
	}
	return res, err
}

// sign makes a payment of what is asked, if it is within the rest of Max.
func (p *Payer) sign(ctx context.Context, header string, request protocol.Hash) (string, uint256.Int, error) {
	var asked api.PaymentRequired
	if err := decode(header, &asked); err != nil {
		return "", uint256.Int{}, err
	}
	network := fmt.Sprintf("eip155:%d", p.Domain.ChainID)
	for _, t := range asked.Accepts {
		if t.Scheme != "exact" || t.Network != network || !strings.EqualFold(t.Asset, p.Domain.Contract.Hex()) || !strings.EqualFold(t.PayTo, p.PayTo.Hex()) {
			continue
		}
		var value uint256.Int
		if err := value.SetFromDecimal(t.Amount); err != nil {
			return "", value, protocol.Errorf(protocol.KindCorrupt, "amount", "the coordinator asks for %q, which is no amount", t.Amount)
		}
		if err := p.reserve(&value); err != nil {
			return "", value, err
		}
		var salt protocol.Hash
		_, _ = rand.Read(salt[:]) // never fails
		now := time.Now().Unix()
		signed := protocol.SignedPayment{Payment: protocol.Payment{From: p.Signer.Account(), To: p.PayTo, Value: value,
			ValidAfter: *uint256.NewInt(uint64(now - 600)), ValidBefore: *uint256.NewInt(uint64(now + int64(t.MaxTimeoutSeconds))), Nonce: protocol.PaymentNonce(salt, request)}}
		var err error
		if signed.Signature, err = p.Signer.SignTyped(ctx, wire.PaymentData(p.Domain, signed.Payment)); err != nil {
			return "", value, err
		}
		out, err := EncodePayment(asked.Resource, t, signed, &salt)
		return out, value, err
	}
	return "", uint256.Int{}, protocol.Errorf(protocol.KindInvalid, "accepts", "the coordinator takes no payment from the escrow %s on %s to %s", p.Domain.Contract.Hex(), network, p.PayTo.Hex())
}

// reserve counts a payment as spent.
func (p *Payer) reserve(value *uint256.Int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var sum uint256.Int
	if _, over := sum.AddOverflow(&p.spent, value); over || sum.Gt(&p.Max) {
		left := new(uint256.Int).Sub(&p.Max, &p.spent)
		return protocol.Errorf(protocol.KindEscrow, "max", "this request may cost %s wei, and %s of what may be spent are left: allow more with --max, or ask for fewer tokens with --max-tokens", value.Dec(), left.Dec())
	}
	p.spent = sum
	return nil
}

// settle gives back what an answer did not cost, once it is known: a stream tells it at
// its end, and counts in full until then.
func (p *Payer) settle(res *http.Response, value uint256.Int) {
	if !p.giveBack(res.Header.Get(api.PaymentResponseHeader), value) {
		res.Body = &watched{ReadCloser: res.Body, end: func() { p.giveBack(res.Trailer.Get(api.PaymentResponseHeader), value) }}
	}
}

// giveBack reads what was charged; ok is false if the header does not say.
func (p *Payer) giveBack(header string, value uint256.Int) (ok bool) {
	var result api.PaymentResult
	if header == "" || decode(header, &result) != nil {
		return false
	}
	var charged uint256.Int
	if result.Success && (charged.SetFromDecimal(result.Amount) != nil || charged.Gt(&value)) {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.spent.Sub(&p.spent, value.Sub(&value, &charged))
	return true
}

// Spent is what payments cost until now, those whose answers are under way in full.
func (p *Payer) Spent() uint256.Int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.spent
}

// watched is a body that says when it was read to its end.
type watched struct {
	io.ReadCloser
	end func()
}

// Read reads on.
func (w *watched) Read(b []byte) (int, error) {
	n, err := w.ReadCloser.Read(b)
	if errors.Is(err, io.EOF) && w.end != nil {
		w.end()
		w.end = nil
	}
	return n, err
}

func decode(header string, v any) error {
	raw, err := base64.StdEncoding.DecodeString(header)
	if err == nil {
		err = json.Unmarshal(raw, v)
	}
	if err != nil {
		return protocol.Errorf(protocol.KindCorrupt, "", "the coordinator's payment header can't be read: %w", err)
	}
	return nil
}

// EncodePayment writes the header PAYMENT-SIGNATURE. With a salt, the nonce is
// protocol.PaymentNonce of it.
func EncodePayment(what api.PaymentResource, accepted api.PaymentTerms, s protocol.SignedPayment, salt *protocol.Hash) (string, error) {
	p := &s.Payment
	payload := map[string]any{
		"signature": fmt.Sprintf("0x%x", s.Signature),
		"authorization": map[string]string{"from": p.From.Hex(), "to": p.To.Hex(), "value": p.Value.Dec(),
			"validAfter": p.ValidAfter.Dec(), "validBefore": p.ValidBefore.Dec(), "nonce": p.Nonce.Hex()},
	}
	if salt != nil {
		payload["salt"] = salt.Hex()
	}
	raw, err := json.Marshal(map[string]any{"x402Version": 2, "resource": what, "accepted": accepted, "payload": payload})
	return base64.StdEncoding.EncodeToString(raw), err
}
