package main

import (
	"github.com/stretchr/testify/require"
)

// account does what somebody does on the Account page, from connecting one: OPEN put aside,
// a key made after its text was shown, used, given a new secret and ended, and the
// coordinator allowed to train.
func (b *browser) account(api string) {
	b.t.Helper()
	b.open("/account")
	b.click("button", "Connect account")
	b.click("button", "Use a key of this browser")
	b.await("you have not allowed it anything yet")
	b.click("button", "Add")
	b.fill("Amount in OPEN", "7")
	b.click("button", "Put aside")

	b.click("button", "Make a key")
	b.click("button", "Next: what you sign")
	b.await("Say what the key is for")
	b.fill("Name of the key", "laptop")
	b.click("field", "training…")
	b.fill("Budget in all, OPEN", "2.5")
	b.click("button", "Next: what you sign")
	b.await("label: laptop")
	b.await(`scopes: ["inference" "datanets" "read"]`)
	b.await("budget: 2500000000000000000 wei")
	b.click("button", "Sign")
	b.await("It is shown this once")
	shown := func() string { return eval[string](b, `document.querySelector('.secret').innerText`) }
	first := shown()
	ask := func(secret string) error {
		_, err := connect(b.t, api, secret).stream(b.t.Context(), rambling(1, 4), nil)
		return err
	}
	require.NoError(b.t, ask(first))
	b.click("button", "Use it in this browser")
	b.await("1 request in 30 days")
	b.click("button", "I have it")

	b.click("button", "Show my keys")
	b.await("List OpenLedger API keys")
	b.click("button", "Sign")
	b.await("of 2.5")
	b.click("field", "Train…")
	b.click("button", "Allow")
	b.await("It may train until")
	b.fits("account")

	b.click("button", "Rotate laptop")
	b.await("Rotate OpenLedger API keys")
	b.click("button", "Sign")
	b.poll("another secret", `(document.querySelector('.secret')?.innerText ?? `+quoted(first)+`) !== `+quoted(first), within)
	second := shown()
	require.Error(b.t, ask(first))
	require.NoError(b.t, ask(second))
	b.click("button", "End laptop")
	b.await("Revoke OpenLedger API keys")
	b.click("button", "Sign")
	b.await("revoked")
	require.Error(b.t, ask(second))
	b.await("This browser keeps no key")
	require.Empty(b.t, b.faults())
}
