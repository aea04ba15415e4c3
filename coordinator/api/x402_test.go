package api

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
)

// till takes every payment that the handler lets through.
type till struct {
	*service
	taken   []protocol.SignedPayment
	request protocol.Hash
	outcome []string
	priced  []Request
	err     error
}

func (*till) PaymentTerms() PaymentTerms {
	return PaymentTerms{Network: "eip155:7", Asset: owner.Hex(), PayTo: tenant.Hex(), Extra: PaymentExtra{Name: "OpenLedger", Version: "1", Method: "eip3009"}}
}

func (s *till) MostOf(_ context.Context, jobs []Request) (uint256.Int, error) {
	s.priced = append(s.priced, jobs...)
	return huge, nil
}

func (s *till) TakePayment(_ context.Context, p protocol.SignedPayment, request protocol.Hash, _ uint256.Int) (Caller, error) {
	s.taken, s.request = append(s.taken, p), request
	return Caller{Account: tenant, Key: p.Payment.ID(), Paid: true}, s.err
}

func (*till) Charged(protocol.Hash) (uint256.Int, error) { return huge, nil }

func (s *till) CountPayment(outcome string) { s.outcome = append(s.outcome, outcome) }

// samplePayment is the header of a payment as the test's till takes it.
func samplePayment(change func(m map[string]any)) string {
	m := map[string]any{
		"x402Version": 2,
		"accepted":    map[string]any{"scheme": "exact", "network": "eip155:7", "amount": "1", "asset": strings.ToLower(owner.Hex()), "payTo": tenant.Hex()},
		"payload": map[string]any{"signature": "0x" + strings.Repeat("1b", 65), "authorization": map[string]any{
			"from": tenant.Hex(), "to": tenant.Hex(), "value": huge.Dec(), "validAfter": "0", "validBefore": "0xffffffff", "nonce": hash.Hex()}},
	}
	if change != nil {
		change(m)
	}
	raw, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return base64.StdEncoding.EncodeToString(raw)
}

const smallCompletion = `{"model":"tiny","prompt":"Who?","max_tokens":3}`

func TestPaymentTakesThePlaceOfAKey(t *testing.T) {
	s := &till{service: &service{}}
	url := serve(t, s.service, func(c *Config) { c.Payments = s })
	const path = "/v1/completions"
	for _, key := range []string{"", "Bearer x402", "Bearer", "Basic eDp5"} {
		status, header, body := send(t, "POST", url+path, smallCompletion, "Authorization", key)
		require.Equal(t, http.StatusPaymentRequired, status, body)
		require.NotEmpty(t, header.Get(PaymentRequiredHeader))
		require.Contains(t, header.Get("Access-Control-Expose-Headers"), PaymentRequiredHeader)
		require.Contains(t, body, hugeText)
	}
	require.Equal(t, []string{PaymentAsked, PaymentAsked, PaymentAsked, PaymentAsked}, s.outcome)
	require.Empty(t, s.requests(), "nothing runs unpaid")

	status, header, body := send(t, "POST", url+path, smallCompletion, "Authorization", "Bearer x402", PaymentSignatureHeader, samplePayment(nil))
	require.Equal(t, http.StatusOK, status, body)
	var result PaymentResult
	raw, err := base64.StdEncoding.DecodeString(header.Get(PaymentResponseHeader))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(raw, &result))
	require.Equal(t, huge.Dec(), result.Amount)
	require.Equal(t, protocol.RequestDigest("POST", path, []byte(smallCompletion)), s.request)
	id := s.taken[0].Payment.ID()
	require.Equal(t, id, s.requests()[0].ID, "the payment names the job: one payment, one answer")

	// A mistake is told before anybody is asked to pay.
	status, _, body = send(t, "POST", url+path, `{"model":"tiny","prompt":"Who?","n":2}`, "Authorization", "")
	require.Equal(t, http.StatusBadRequest, status, body)
	// A key counts as before; with a payment beside it, neither does.
	status, _, _ = send(t, "POST", url+path, smallCompletion, "Authorization", "Bearer wrong")
	require.Equal(t, http.StatusUnauthorized, status)
	status, header, _ = send(t, "POST", url+path, smallCompletion)
	require.Equal(t, http.StatusOK, status)
	require.Empty(t, header.Get(PaymentResponseHeader))
	status, _, body = send(t, "POST", url+path, smallCompletion, PaymentSignatureHeader, samplePayment(nil))
	require.Equal(t, http.StatusBadRequest, status, body)
	// What is no answer is not sold.
	status, _, _ = send(t, "GET", url+"/v1/models", "", "Authorization", "", PaymentSignatureHeader, samplePayment(nil))
	require.Equal(t, http.StatusUnauthorized, status)

	s.err = protocol.Errorf(protocol.KindEscrow, "value", "too little")
	status, _, body = send(t, "POST", url+path, smallCompletion, "Authorization", "", PaymentSignatureHeader, samplePayment(nil))
	require.Equal(t, http.StatusPaymentRequired, status, body)
	require.Contains(t, body, "PAYMENT-SIGNATURE.value: too little")
	require.Equal(t, PaymentRefused, s.outcome[len(s.outcome)-1])

	off := serve(t, &service{}, nil)
	status, header, _ = send(t, "POST", off+path, smallCompletion, "Authorization", "", PaymentSignatureHeader, samplePayment(nil))
	require.Equal(t, http.StatusUnauthorized, status, "where payments are off, a key is needed")
	require.Empty(t, header.Get(PaymentRequiredHeader))
}

// An agent that has tools on servers is priced by all the rounds that there may be, before
// its servers are asked for anything; with tool_choice none it is one job.
func TestPaymentOfAnAgentsRounds(t *testing.T) {
	box := &tools{}
	s := &till{service: guide(box, "I look. "+toolCallOf("forecast", "Graz"), "Sunny.")}
	url := serve(t, s.service, func(c *Config) { c.Payments = s }) + "/v1/chat/completions"
	box.err = protocol.Errorf(protocol.KindUnavailable, "model", "it is down")
	status, _, body := send(t, "POST", url, fmt.Sprintf(asksGuide, ""), "Authorization", "")
	require.Equal(t, http.StatusPaymentRequired, status, body)
	require.Equal(t, maxRounds+1, s.priced[0].Rounds)
	require.Equal(t, 100, s.priced[0].Sampling.MaxTokens)
	require.NotContains(t, body, "it is down", "nobody's servers are asked for who has not paid")

	box.err = nil
	for i, stream := range []string{"", `,"stream":true`} {
		s.infer = guide(box, "I look. "+toolCallOf("forecast", "Graz"), "Sunny.").infer
		status, header, body := send(t, "POST", url, fmt.Sprintf(asksGuide, stream), "Authorization", "", PaymentSignatureHeader, samplePayment(nil))
		require.Equal(t, http.StatusOK, status, body)
		require.Contains(t, body, "ny.") // a stream has it in pieces
		require.Len(t, box.calls, i+1)
		asked := s.requests()[2*i:]
		require.Equal(t, s.taken[i].Payment.ID(), asked[0].ID, "the payment names the first round")
		var result PaymentResult
		raw, err := base64.StdEncoding.DecodeString(header.Get(PaymentResponseHeader))
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(raw, &result))
		if stream == "" {
			require.Equal(t, []protocol.Hash{asked[0].ID, asked[1].ID}, result.Extra.Receipts)
			require.Equal(t, huge.Dec(), result.Amount)
		}
	}
	require.Len(t, s.taken, 2, "a request is paid once, whatever it takes")

	s.infer = guide(box, "Hello.").infer
	status, _, body = send(t, "POST", url, fmt.Sprintf(asksGuide, `,"tool_choice":"none"`), "Authorization", "", PaymentSignatureHeader, samplePayment(nil))
	require.Equal(t, http.StatusOK, status, body)
	require.Zero(t, s.priced[len(s.priced)-1].Rounds)
	require.Len(t, box.calls, 2)
}

func TestPaymentThatCannotBeRead(t *testing.T) {
	payload := func(m map[string]any) map[string]any { return m["payload"].(map[string]any) }
	authorization := func(m map[string]any) map[string]any { return payload(m)["authorization"].(map[string]any) }
	for field, header := range map[string]string{
		"it is longer":  strings.Repeat("A", maxPaymentHeader+1),
		"not base64":    "%%%",
		"not a payment": base64.StdEncoding.EncodeToString([]byte("[1]")),
		"x402Version":   samplePayment(func(m map[string]any) { m["x402Version"] = 1 }),
		".from":         samplePayment(func(m map[string]any) { authorization(m)["from"] = "0x12" }),
		".to":           samplePayment(func(m map[string]any) { delete(authorization(m), "to") }),
		".nonce":        samplePayment(func(m map[string]any) { authorization(m)["nonce"] = hash.Hex()[2:] }),
		".value":        samplePayment(func(m map[string]any) { authorization(m)["value"] = "-1" }),
		".validAfter":   samplePayment(func(m map[string]any) { authorization(m)["validAfter"] = "1e9" }),
		".validBefore":  samplePayment(func(m map[string]any) { authorization(m)["validBefore"] = "0x1" + strings.Repeat("0", 64) }),
		".signature":    samplePayment(func(m map[string]any) { payload(m)["signature"] = "0x1b" }),
		".salt":         samplePayment(func(m map[string]any) { payload(m)["salt"] = "0x" + strings.Repeat("zz", 32) }),
	} {
		_, err := parsePayment(header)
		require.Equal(t, protocol.KindInvalid, protocol.KindOf(err), field)
		require.ErrorContains(t, err, field)
		require.ErrorContains(t, err, PaymentSignatureHeader)
	}
	p, err := parsePayment(samplePayment(nil))
	require.NoError(t, err)
	require.Equal(t, huge, p.signed.Payment.Value)
	require.EqualValues(t, 0xffffffff, p.signed.Payment.ValidBefore.Uint64())
}

func FuzzParsePayment(f *testing.F) {
	f.Add(samplePayment(nil))
	f.Add(samplePayment(func(m map[string]any) { m["x402Version"] = 1 }))
	f.Add(samplePayment(func(m map[string]any) { m["payload"].(map[string]any)["salt"] = hash.Hex() }))
	f.Add("e30=")
	f.Add("%")
	f.Fuzz(func(t *testing.T, header string) {
		p, err := parsePayment(header)
		if err != nil {
			require.Equal(t, protocol.KindInvalid, protocol.KindOf(err))
			return
		}
		require.Len(t, p.signed.Signature, 65)
	})
}
