package api

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
)

// Payments takes payments of single requests (x402): no API key is needed, the payer signs
// what this one request may cost.
type Payments interface {
	// PaymentTerms says on which network, from which contract and to whom to pay.
	PaymentTerms() PaymentTerms
	// MostOf is the most that jobs of one request may cost together, wei.
	MostOf(ctx context.Context, jobs []Request) (uint256.Int, error)
	// TakePayment checks a payment and binds it to the request, for ever: again with the
	// same request it is taken again, and what was answered for it is not charged again. A
	// payment that has paid nothing yet must be valid now and be worth most. The caller's
	// budget is the payment's value.
	TakePayment(ctx context.Context, p protocol.SignedPayment, request protocol.Hash, most uint256.Int) (Caller, error)
	// Charged is what answers have cost a payment until now: its receipts' fees.
	Charged(payment protocol.Hash) (uint256.Int, error)
	// CountPayment counts a request without a key by what became of it: PaymentAsked,
	// PaymentTaken or PaymentRefused.
	CountPayment(outcome string)
}

// What becomes of a request without a key.
const (
	PaymentAsked   = "asked"   // it came without a payment, and was told the price
	PaymentTaken   = "taken"   // its payment is good; what follows is as with a key
	PaymentRefused = "refused" // its payment is not
)

// payable are the operations that may be paid one by one.
var payable = map[string]bool{"createChatCompletion": true, "createCompletion": true, "createEmbedding": true}

// tab is the payment of a request that came without a key.
type tab struct {
	request  protocol.Hash
	resource PaymentResource
	paid     *paid            // nil: there is none
	terms    *PaymentRequired // once the price is known
	receipts []protocol.Hash
	running  func() // ends the payment's turn; nil: it has none
}

// unpaid is the error of a request whose payment is missing or not good.
type unpaid struct {
	err    error
	reason string // one of x402's; empty: there was no payment
	payer  *protocol.Account
	terms  *PaymentRequired
}

func (u *unpaid) Error() string { return u.err.Error() }

// Unwrap gives the error of the vocabulary.
func (u *unpaid) Unwrap() error { return u.err }

// reasons are x402's names for what is wrong, by the field that is.
var reasons = map[string]string{
	"signature": "invalid_exact_evm_payload_signature", "to": "invalid_exact_evm_payload_recipient_mismatch",
	"validAfter": "invalid_exact_evm_payload_authorization_valid_after", "validBefore": "invalid_exact_evm_payload_authorization_valid_before",
	"value": "invalid_exact_evm_payload_authorization_value", "nonce": "invalid_transaction_state",
}

// payer finds the payment of a request without a key. Its body is read, since payments are
// bound to it.
func (s *Server) payer(r *http.Request) (Caller, error) {
	raw, err := io.ReadAll(r.Body)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return Caller{}, invalid("body", "it is larger than %d bytes", large.Limit)
	case err != nil:
		return Caller{}, invalid("body", "it can't be read: %v", err)
	}
	r.Body = io.NopCloser(bytes.NewReader(raw))
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	t := &tab{request: protocol.RequestDigest(r.Method, r.URL.Path, raw),
		resource: PaymentResource{URL: scheme + "://" + r.Host + r.URL.Path, Description: "one answer", MimeType: "application/json"}}
	header := r.Header.Get(PaymentSignatureHeader)
	if header == "" {
		return Caller{tab: t}, nil
	}
	if t.paid, err = parsePayment(header); err != nil {
		s.cfg.Payments.CountPayment(PaymentRefused)
		return Caller{}, err
	}
	return Caller{Account: t.paid.signed.Payment.From, tab: t}, nil
}

// unkeyed says whether a request came without an API key.
func unkeyed(r *http.Request) bool {
	scheme, key, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	key = strings.TrimSpace(key)
	return !strings.EqualFold(scheme, "Bearer") || key == "" || key == NoKey
}

// pay makes the caller of a request without a key one that may spend what was signed. One
// that has not paid is told the price of just these jobs. With a key, or when it has paid,
// nothing changes.
func (s *Server) pay(r *http.Request, by *Caller, jobs ...Request) error {
	t := by.tab
	if t == nil || t.running != nil {
		return nil
	}
	var charged uint256.Int
	if t.paid != nil {
		var err error
		if charged, err = s.cfg.Payments.Charged(t.paid.signed.Payment.ID()); err != nil {
			return err
		}
	}
	most, err := s.cfg.Payments.MostOf(r.Context(), jobs)
	switch {
	case err == nil:
	case charged.IsZero():
		return err
	default: // what was answered is answered again, whoever serves now
		most = t.paid.signed.Payment.Value
	}
	terms := s.cfg.Payments.PaymentTerms()
	terms.Scheme, terms.Amount, terms.MaxTimeoutSeconds, terms.Extra.Request = paymentScheme, most.Dec(), paymentSeconds, &t.request
	t.terms = &PaymentRequired{Version: x402Version, Resource: t.resource, Accepts: []PaymentTerms{terms}}
	if t.paid == nil {
		s.cfg.Payments.CountPayment(PaymentAsked)
		return t.refuse("", protocol.Errorf(protocol.KindEscrow, PaymentSignatureHeader, "this costs at most %s wei: sign a payment of it as the header %s says, or send an API key ('Authorization: Bearer KEY')", terms.Amount, PaymentRequiredHeader))
	}
	caller, err := s.take(r.Context(), t, &terms, most)
	if err == nil {
		// While its answer is under way, a payment looks as if it had nothing left.
		if _, busy := s.paying.LoadOrStore(caller.Key, true); busy {
			return protocol.Errorf(protocol.KindBusy, PaymentSignatureHeader, "the request that this pays for is running already: send it again, with the same payment, when that is over")
		}
		t.running = func() { s.paying.Delete(caller.Key) }
	}
	if err != nil {
		if u := (*unpaid)(nil); errors.As(err, &u) {
			s.cfg.Payments.CountPayment(PaymentRefused)
		}
		return err
	}
	s.cfg.Payments.CountPayment(PaymentTaken)
	caller.tab = t
	*by = caller
	for _, j := range jobs {
		t.receipts = append(t.receipts, j.ID)
	}
	return nil
}

func (s *Server) take(ctx context.Context, t *tab, terms *PaymentTerms, most uint256.Int) (Caller, error) {
	field, reason := terms.differs(&t.paid.terms)
	if field != "" {
		return Caller{}, t.refuse(reason, badPayment("accepted."+field, "it is not what this server accepts: sign one of the payments in %s", PaymentRequiredHeader))
	}
	if salt := t.paid.salt; salt != nil && protocol.PaymentNonce(*salt, t.request) != t.paid.signed.Payment.Nonce {
		return Caller{}, t.refuse(reasons["nonce"], badPayment("nonce", "it was made for another request: sign a payment for this one"))
	}
	by, err := s.cfg.Payments.TakePayment(ctx, t.paid.signed, t.request, most)
	var e *protocol.Error
	if errors.As(err, &e) && reasons[e.Field] != "" {
		return Caller{}, t.refuse(reasons[e.Field], badPayment(e.Field, "%s", e.Message))
	}
	return by, err
}

// refuse asks for another payment.
func (t *tab) refuse(reason string, err error) error {
	u := &unpaid{err: err, reason: reason}
	terms := *t.terms
	terms.Error = err.Error()
	u.terms = &terms
	if t.paid != nil {
		u.payer = &t.paid.signed.Payment.From
	}
	return u
}

// paidFor names the receipts of an answer in rounds.
func (t *tab) paidFor(rounds []protocol.SignedReceipt) {
	if t == nil {
		return
	}
	t.receipts = t.receipts[:0]
	for i := range rounds {
		t.receipts = append(t.receipts, rounds[i].Receipt.ID)
	}
}

// close ends the turn of the payment, if there is one.
func (t *tab) close() {
	if t != nil && t.running != nil {
		t.running()
	}
}

// explain makes what the escrow does not cover a refused payment.
func (t *tab) explain(err error) error {
	if t == nil || t.paid == nil || t.terms == nil || protocol.KindOf(err) != protocol.KindEscrow || errors.As(err, new(*unpaid)) {
		return err
	}
	return t.refuse("insufficient_funds", err)
}

// unpaidBody is what the header PAYMENT-REQUIRED says, with the error in OpenAI's shape.
type unpaidBody struct {
	Error    apiError        `json:"error"`
	Version  int             `json:"x402Version"`
	Resource PaymentResource `json:"resource"`
	Accepts  []PaymentTerms  `json:"accepts"`
}

// tell sets the headers of a request that is not paid.
func (u *unpaid) tell(h http.Header) {
	h.Set(PaymentRequiredHeader, encodeHeader(u.terms))
	if u.reason != "" {
		h.Set(PaymentResponseHeader, encodeHeader(PaymentResult{ErrorReason: u.reason, Payer: u.payer, Network: u.terms.Accepts[0].Network}))
	}
	exposePayment(h)
}

// exposePayment lets pages of other origins read the headers, where a proxy lets them ask.
func exposePayment(h http.Header) {
	h.Set("Access-Control-Expose-Headers", PaymentRequiredHeader+", "+PaymentResponseHeader)
}

// promise says at the beginning of a stream who pays.
func (t *tab) promise(h http.Header) {
	if t != nil {
		h.Set(PaymentResponseHeader, encodeHeader(t.result("")))
		exposePayment(h)
	}
}

// settled says what was charged.
func (s *Server) settled(h http.Header, by *Caller) error {
	if by.tab == nil {
		return nil
	}
	charged, err := s.cfg.Payments.Charged(by.Key)
	if err != nil {
		return err
	}
	h.Set(PaymentResponseHeader, encodeHeader(by.tab.result(charged.Dec())))
	exposePayment(h)
	return nil
}

// trail says at the end of a stream what was charged, as a trailer.
func (s *Server) trail(w http.ResponseWriter, by *Caller) {
	if by.tab == nil {
		return
	}
	charged, err := s.cfg.Payments.Charged(by.Key)
	if err != nil { // the answer was sent
		s.cfg.Logger.Warn("what a payment was charged is not known", "payment", by.Key, "err", err)
		return
	}
	w.Header().Set(http.TrailerPrefix+PaymentResponseHeader, encodeHeader(by.tab.result(charged.Dec())))
}

func (t *tab) result(amount string) PaymentResult {
	p := &t.paid.signed.Payment
	return PaymentResult{Success: true, Payer: &p.From, Network: t.terms.Accepts[0].Network, Amount: amount,
		Extra: &PaymentCharge{Authorized: p.Value.Dec(), Receipts: t.receipts}}
}
