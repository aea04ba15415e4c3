package node_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/cmd/openledger/client"
	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/contracts/keystore"
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
)

// answered is an HTTP answer read to its end.
type answered struct {
	status int
	header http.Header
	body   string
	result api.PaymentResult // of the header, or of a stream's trailer
}

// unkeyed sends a request without an API key.
func (n *network) unkeyed(t *testing.T, path, body, payment string) answered {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, n.coord.API.URL()+path, strings.NewReader(body))
	require.NoError(t, err)
	if payment != "" {
		req.Header.Set(api.PaymentSignatureHeader, payment)
	}
	return sent(t, http.DefaultTransport, req)
}

func sent(t *testing.T, by http.RoundTripper, req *http.Request) (a answered) {
	t.Helper()
	res, err := by.RoundTrip(req)
	require.NoError(t, err)
	raw, err := io.ReadAll(res.Body)
	require.NoError(t, errors.Join(err, res.Body.Close()))
	a = answered{status: res.StatusCode, header: res.Header, body: string(raw)}
	for _, h := range []http.Header{res.Header, res.Trailer} {
		if v := h.Get(api.PaymentResponseHeader); v != "" {
			unbase64(t, v, &a.result)
		}
	}
	return a
}

func unbase64(t *testing.T, header string, v any) {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(header)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(raw, v))
}

// terms asks what a request costs and gives the terms.
func (n *network) terms(t *testing.T, path, body string) (api.PaymentRequired, api.PaymentTerms) {
	t.Helper()
	a := n.unkeyed(t, path, body, "")
	require.Equal(t, http.StatusPaymentRequired, a.status, a.body)
	var asked api.PaymentRequired
	unbase64(t, a.header.Get(api.PaymentRequiredHeader), &asked)
	require.Len(t, asked.Accepts, 1)
	return asked, asked.Accepts[0]
}

// payment is signed as any client of x402 signs it: of the amount, with a nonce of its own.
func (n *network) payment(t *testing.T, who *keystore.Key, terms api.PaymentTerms, change func(*protocol.Payment)) protocol.SignedPayment {
	t.Helper()
	now := uint64(time.Now().Unix())
	p := protocol.Payment{From: who.Account(), To: n.coord.SessionAccount(), Value: *uint256.MustFromDecimal(terms.Amount),
		ValidAfter: *uint256.NewInt(now - 600), ValidBefore: *uint256.NewInt(now + 300), Nonce: protocol.Hash{0x42, byte(n.n.Add(1)), byte(n.n.Load() >> 8)}}
	if change != nil {
		change(&p)
	}
	s, err := wire.SignPayment(n.escrowDomain(), p, who.ECDSA())
	require.NoError(t, err)
	return s
}

func header(t *testing.T, terms api.PaymentTerms, s protocol.SignedPayment, salt *protocol.Hash) string {
	t.Helper()
	out, err := client.EncodePayment(api.PaymentResource{}, terms, s, salt)
	require.NoError(t, err)
	return out
}

// feesOf adds up the receipts of a requester.
func (n *network) feesOf(t *testing.T, who protocol.Account) (sum uint256.Int, count int) {
	t.Helper()
	receipts, err := n.coord.Receipts(t.Context(), 0)
	require.NoError(t, err)
	for _, v := range receipts {
		if v.Receipt.Requester == who {
			fee := v.Receipt.Fee().Total()
			sum.Add(&sum, &fee)
			count++
		}
	}
	return sum, count
}

func completion(prompt string, maxTokens int) string {
	return fmt.Sprintf(`{"model":%q,"prompt":%q,"max_tokens":%d,"temperature":0}`, node.BaseName, prompt, maxTokens)
}

// A request is paid by a signature alone: at most what was asked for it, for this request
// and once. What was charged is what the receipts say and what leaves the escrow.
func TestRequestsArePaidOneByOne(t *testing.T) {
	w := net.worker(t, net.identity(t))
	who := net.requester(t, 5e18)
	const path = "/v1/completions"
	body := completion("A fox", 6)
	asked, terms := net.terms(t, path, body)
	total := uint256.NewInt(0) // that answers said they cost
	add := func(a answered) {
		t.Helper()
		require.True(t, a.result.Success)
		require.Equal(t, who.Account(), *a.result.Payer)
		total.Add(total, uint256.MustFromDecimal(a.result.Amount))
	}

	t.Run("the terms", func(t *testing.T) {
		a := net.unkeyed(t, path, body, "")
		var said struct {
			Error struct{ Code, Message, Param string }
			api.PaymentRequired
		}
		said.PaymentRequired.Error = asked.Error
		require.NoError(t, json.Unmarshal([]byte(a.body), &struct {
			Error   any `json:"error"`
			Version any `json:"x402Version"`
			Accepts any `json:"accepts"`
		}{&said.Error, &said.Version, &said.Accepts}))
		require.Equal(t, "payment_required", said.Error.Code)
		require.Contains(t, said.Error.Message, terms.Amount)
		require.Equal(t, asked.Accepts, said.Accepts)
		require.Equal(t, fmt.Sprintf("eip155:%d", net.chain.ChainID()), terms.Network)
		require.Equal(t, net.chain.Addresses.Escrow.Hex(), terms.Asset)
		require.Equal(t, net.coord.SessionAccount().Hex(), terms.PayTo)
		require.Equal(t, protocol.RequestDigest("POST", path, []byte(body)), *terms.Extra.Request)
		require.Empty(t, a.header.Get(api.PaymentResponseHeader))
	})

	good := net.payment(t, who, terms, nil)
	var first answered
	t.Run("an answer", func(t *testing.T) {
		first = net.unkeyed(t, path, body, header(t, terms, good, nil))
		require.Equal(t, http.StatusOK, first.status, first.body)
		add(first)
		v, err := net.coord.Receipt(t.Context(), good.Payment.ID())
		require.NoError(t, err)
		fee := v.Receipt.Fee().Total()
		require.Equal(t, who.Account(), v.Receipt.Requester)
		require.Equal(t, fee.Dec(), first.result.Amount)
		require.Equal(t, []protocol.Hash{v.Receipt.ID}, first.result.Extra.Receipts)
		require.False(t, fee.Gt(&good.Payment.Value))
	})
	t.Run("again is the same answer, paid once", func(t *testing.T) {
		a := net.unkeyed(t, path, body, header(t, terms, good, nil))
		require.Equal(t, http.StatusOK, a.status, a.body)
		require.Equal(t, first.body, a.body)
		require.Equal(t, first.result, a.result)
		other := net.unkeyed(t, path, completion("A hen", 6), header(t, terms, good, nil))
		require.Equal(t, http.StatusPaymentRequired, other.status, other.body)
		require.Contains(t, other.body, "another request")
		require.False(t, other.result.Success)
		dearer := net.payment(t, who, terms, func(p *protocol.Payment) { p.Nonce, p.Value = good.Payment.Nonce, *uint256.NewInt(1e18) })
		a = net.unkeyed(t, path, body, header(t, terms, dearer, nil))
		require.Equal(t, http.StatusPaymentRequired, a.status, "another payment under the nonce: %s", a.body)
	})
	t.Run("whatever is changed is refused", func(t *testing.T) {
		_, before := net.feesOf(t, who.Account())
		stranger := net.key(t, 0)
		now := uint64(time.Now().Unix())
		base := net.payment(t, who, terms, nil)
		for name, try := range map[string]struct {
			change func(*protocol.Payment, *api.PaymentTerms) // after it was signed
			signed func(*protocol.Payment)                    // before
			salt   *protocol.Hash
			reason string
		}{
			"from":         {change: func(p *protocol.Payment, _ *api.PaymentTerms) { p.From = stranger.Account() }, reason: "invalid_exact_evm_payload_signature"},
			"value":        {change: func(p *protocol.Payment, _ *api.PaymentTerms) { p.Value = *uint256.NewInt(1e18) }, reason: "invalid_exact_evm_payload_signature"},
			"validAfter":   {change: func(p *protocol.Payment, _ *api.PaymentTerms) { p.ValidAfter.Clear() }, reason: "invalid_exact_evm_payload_signature"},
			"validBefore":  {change: func(p *protocol.Payment, _ *api.PaymentTerms) { p.ValidBefore = *uint256.NewInt(now + 1e6) }, reason: "invalid_exact_evm_payload_signature"},
			"nonce":        {change: func(p *protocol.Payment, _ *api.PaymentTerms) { p.Nonce[31]++ }, reason: "invalid_exact_evm_payload_signature"},
			"to":           {change: func(p *protocol.Payment, _ *api.PaymentTerms) { p.To = stranger.Account() }, reason: "invalid_exact_evm_payload_recipient_mismatch"},
			"to another":   {signed: func(p *protocol.Payment) { p.To = stranger.Account() }, reason: "invalid_exact_evm_payload_recipient_mismatch"},
			"expired":      {signed: func(p *protocol.Payment) { p.ValidBefore = *uint256.NewInt(now - 1) }, reason: "invalid_exact_evm_payload_authorization_valid_before"},
			"early":        {signed: func(p *protocol.Payment) { p.ValidAfter = *uint256.NewInt(now + 1e6) }, reason: "invalid_exact_evm_payload_authorization_valid_after"},
			"a wei short":  {signed: func(p *protocol.Payment) { p.Value.SubUint64(&p.Value, 1) }, reason: "invalid_exact_evm_payload_authorization_value"},
			"network":      {change: func(_ *protocol.Payment, a *api.PaymentTerms) { a.Network = "eip155:1" }, reason: "invalid_network"},
			"asset":        {change: func(_ *protocol.Payment, a *api.PaymentTerms) { a.Asset = stranger.Account().Hex() }, reason: "invalid_payment_requirements"},
			"payTo":        {change: func(_ *protocol.Payment, a *api.PaymentTerms) { a.PayTo = stranger.Account().Hex() }, reason: "invalid_exact_evm_payload_recipient_mismatch"},
			"scheme":       {change: func(_ *protocol.Payment, a *api.PaymentTerms) { a.Scheme = "upto" }, reason: "invalid_scheme"},
			"another salt": {salt: &protocol.Hash{1}, reason: "invalid_transaction_state"},
			"no escrow":    {signed: func(p *protocol.Payment) { p.From = stranger.Account() }, reason: "insufficient_funds"},
		} {
			s, a := base, terms
			if try.signed != nil {
				key := who
				if name == "no escrow" {
					key = stranger
				}
				s = net.payment(t, key, terms, try.signed)
			}
			if try.change != nil {
				try.change(&s.Payment, &a)
			}
			got := net.unkeyed(t, path, body, header(t, a, s, try.salt))
			require.Equal(t, http.StatusPaymentRequired, got.status, "%s: %s", name, got.body)
			require.Equal(t, try.reason, got.result.ErrorReason, "%s: %s", name, got.body)
			require.NotEmpty(t, got.header.Get(api.PaymentRequiredHeader), "%s: the way out", name)
		}
		_, after := net.feesOf(t, who.Account())
		require.Equal(t, before, after, "nothing was charged")
		require.Equal(t, http.StatusBadRequest, net.unkeyed(t, path, body, "what?").status)
	})
	t.Run("many at once are one answer", func(t *testing.T) {
		p := header(t, terms, net.payment(t, who, terms, nil), nil)
		_, before := net.feesOf(t, who.Account())
		all := make([]answered, 6)
		var wg sync.WaitGroup
		for i := range all {
			wg.Go(func() { all[i] = net.unkeyed(t, path, body, p) })
		}
		wg.Wait()
		served := map[string]bool{}
		for _, a := range all {
			if a.status == http.StatusOK {
				served[a.body] = true
				continue
			}
			require.Equal(t, http.StatusTooManyRequests, a.status, a.body)
		}
		require.Len(t, served, 1)
		_, after := net.feesOf(t, who.Account())
		require.Equal(t, before+1, after)
		add(net.unkeyed(t, path, body, p))
	})
	t.Run("a client that pays", func(t *testing.T) {
		payer := &client.Payer{Signer: who, Domain: net.escrowDomain(), PayTo: net.coord.SessionAccount(), Max: *uint256.NewInt(1e17), Next: http.DefaultTransport}
		ask := func(path, body string) answered {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, net.coord.API.URL()+path, bytes.NewReader([]byte(body)))
			require.NoError(t, err)
			req.Header.Set("Authorization", "Bearer "+api.NoKey)
			return sent(t, payer, req)
		}
		before := *total
		for _, r := range [][2]string{
			{"/v1/chat/completions", fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":"A fox?"}],"max_tokens":5,"stream":true}`, node.BaseName)},
			{"/v1/embeddings", fmt.Sprintf(`{"model":%q,"input":[%s"ox"]}`, node.BaseName, strings.Repeat(`"hen",`, 33))},
			{path, body},
		} {
			a := ask(r[0], r[1])
			require.Equal(t, http.StatusOK, a.status, a.body)
			add(a)
			if r[0] == "/v1/embeddings" {
				require.Len(t, a.result.Extra.Receipts, 2)
			}
		}
		spent := payer.Spent()
		require.Equal(t, before.Add(&before, &spent).Dec(), total.Dec(), "what the client counted is what was charged")
		_, dear := net.terms(t, path, completion("A fox", 9000))
		payer.Max = spent
		require.True(t, uint256.MustFromDecimal(dear.Amount).Sign() > 0)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, net.coord.API.URL()+path, bytes.NewReader([]byte(body)))
		require.NoError(t, err)
		_, err = payer.RoundTrip(req) //nolint:bodyclose // there is no answer
		require.Equal(t, protocol.KindEscrow, protocol.KindOf(err), "%v", err)
		require.ErrorContains(t, err, "--max")
	})
	t.Run("an escrow comes to its end", func(t *testing.T) {
		poor := net.requester(t, 2*uint256.MustFromDecimal(terms.Amount).Uint64())
		served := 0
		for ; ; served++ {
			require.Less(t, served, 1000)
			a := net.unkeyed(t, path, body, header(t, terms, net.payment(t, poor, terms, nil), nil))
			if a.status == http.StatusPaymentRequired {
				require.Equal(t, "insufficient_funds", a.result.ErrorReason)
				require.Contains(t, a.body, "deposit")
				break
			}
			require.Equal(t, http.StatusOK, a.status, a.body)
		}
		fees, n := net.feesOf(t, poor.Account())
		require.Equal(t, served, n)
		require.Positive(t, served)
		held, err := net.chain.Client.EscrowOf(t.Context(), poor.Account())
		require.NoError(t, err)
		require.False(t, fees.Gt(&held))
	})

	fees, _ := net.feesOf(t, who.Account())
	require.Equal(t, fees.Dec(), total.Dec(), "what was charged is the receipts' fees")
	require.Eventually(t, func() bool {
		require.NoError(t, w.Settle(t.Context()))
		drawn, err := net.chain.Client.DrawnOf(t.Context(), who.Account(), w.owner.Account())
		require.NoError(t, err)
		return drawn == fees
	}, time.Minute, 50*time.Millisecond, "and what the worker drew from the payer's escrow")

	require.NoError(t, w.stop())
	net.listed(t, w.peer, false)
	a := net.unkeyed(t, path, body, header(t, terms, good, nil))
	require.Equal(t, first.body, a.body, "what was paid is answered again when nobody serves")
	require.Equal(t, http.StatusServiceUnavailable, net.unkeyed(t, path, body, "").status)
}
