package protocol

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"testing"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"
)

func TestFeeRoundsEachTokenClassUp(t *testing.T) {
	p := Price{InputPer1K: *uint256.NewInt(1), OutputPer1K: *uint256.NewInt(1500), Access: *uint256.NewInt(7), Markup: *uint256.NewInt(5)}
	for _, c := range []struct {
		in, out int
		compute uint64
	}{{0, 0, 0}, {1, 0, 1}, {1000, 0, 1}, {1001, 0, 2}, {0, 1, 2}, {0, 1000, 1500}, {1, 1, 3}} {
		f := p.FeeFor(c.in, c.out)
		require.Equal(t, *uint256.NewInt(c.compute), f.Compute, "%d in, %d out", c.in, c.out)
		require.Equal(t, *uint256.NewInt(c.compute + 12), f.Total())
	}
}

func TestErrorKeepsKindFieldAndCause(t *testing.T) {
	err := error(Errorf(KindInvalid, "max_tokens", "is %d: %w", 0, io.EOF))
	require.EqualError(t, err, "max_tokens: is 0: EOF")
	require.ErrorIs(t, err, io.EOF)
	wrapped := fmt.Errorf("quoting: %w", err)
	require.Equal(t, KindInvalid, KindOf(wrapped))
	require.Equal(t, KindInternal, KindOf(errors.New("other")))
	require.EqualError(t, Errorf(KindBusy, "", "later"), "later")
}

func TestAmountsAreDecimalStringsInJSON(t *testing.T) {
	const text = "123456789012345678901234567890"
	n := *uint256.MustFromDecimal(text)
	// By value and nested, where uint256.Int alone would write its limbs.
	for _, v := range []any{
		Price{Access: n}, Fee{Compute: n}, Receipt{Access: n}, Price{Markup: n}, Fee{Markup: n}, Receipt{Markup: n}, Voucher{Cumulative: n}, TrainingOrder{Access: n},
		Evidence{Job: InferenceJob{Price: Price{InputPer1K: n}}}, SignedReceipt{Receipt: Receipt{Compute: n}},
		SignedVoucher{Voucher: Voucher{Cumulative: n}}, Announcement{Price: Price{OutputPer1K: n}},
		TrainingJob{Order: TrainingOrder{Access: n}}, AdapterManifest{Order: TrainingOrder{Access: n}},
	} {
		b, err := json.Marshal(v)
		require.NoError(t, err)
		require.Contains(t, string(b), `:"`+text+`"`, "%T", v)
		require.NotContains(t, string(b), "[0,", "%T", v)
		back := reflect.New(reflect.TypeOf(v))
		require.NoError(t, json.Unmarshal(b, back.Interface()))
		require.Equal(t, v, back.Elem().Interface())
	}
}

func TestAdapterTagIsTheHeadOfTheDigest(t *testing.T) {
	require.Equal(t, uint64(0x0102030405060708), AdapterTag(Hash{1, 2, 3, 4, 5, 6, 7, 8, 9}))
}
