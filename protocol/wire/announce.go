package wire

import (
	"strings"
	"unicode"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire/pb"
)

// MaxAdapters is how many resident adapters fit in one announcement.
const MaxAdapters = 64

const maxSlots = 1 << 16

// EncodeAnnouncement gives the gossip message of an announcement with the
// binding of its peer and worker. It must fit in protocol.MaxAnnouncementBytes.
func EncodeAnnouncement(a protocol.Announcement, b protocol.SignedBinding) ([]byte, error) {
	if b.Binding.Peer != a.Peer || b.Binding.Owner != a.Worker {
		return nil, protocol.Errorf(protocol.KindInvalid, "binding", "binds peer %s to %s, not the announcement's %s to %s: sign a new binding", b.Binding.Peer, b.Binding.Owner, a.Peer, a.Worker)
	}
	m := &pb.Announcement{
		Peer: string(a.Peer), Worker: a.Worker[:], Sequence: a.Sequence,
		IssuedAt: uint64(a.IssuedAt), ExpiresAt: uint64(a.ExpiresAt),
		Base: a.Base[:], Profile: a.Profile,
		Slots: number32(a.Slots), Running: number32(a.Running), Waiting: number32(a.Waiting), FreeKv: number32(a.FreeKV), TotalKv: number32(a.TotalKV),
		Trains: a.Trains, DecodeTps: a.DecodeTPS, Hardware: a.Hardware, Price: PriceToPB(a.Price), Binding: BindingToPB(b),
	}
	m.Binding.Peer, m.Binding.Owner = "", nil
	for _, r := range a.Adapters {
		m.AdapterTags = append(m.AdapterTags, r.Tag)
		m.AdapterTiers = append(m.AdapterTiers, byte(r.Tier))
	}
	if _, _, err := announcementFromPB(m); err != nil {
		return nil, err
	}
	out, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return nil, protocol.Errorf(protocol.KindInvalid, "announcement", "cannot be encoded: %w", err)
	}
	if len(out) > protocol.MaxAnnouncementBytes {
		return nil, protocol.Errorf(protocol.KindInvalid, "announcement", "has %d bytes, more than %d: announce fewer adapters", len(out), protocol.MaxAnnouncementBytes)
	}
	return out, nil
}

// DecodeAnnouncement reads EncodeAnnouncement's bytes. Fields are checked by
// themselves; signatures and time are the caller's.
func DecodeAnnouncement(b []byte) (protocol.Announcement, protocol.SignedBinding, error) {
	if len(b) > protocol.MaxAnnouncementBytes {
		return protocol.Announcement{}, protocol.SignedBinding{}, protocol.Errorf(protocol.KindInvalid, "announcement", "has %d bytes, more than %d", len(b), protocol.MaxAnnouncementBytes)
	}
	var m pb.Announcement
	if err := proto.Unmarshal(b, &m); err != nil {
		return protocol.Announcement{}, protocol.SignedBinding{}, protocol.Errorf(protocol.KindCorrupt, "announcement", "is not a valid message: %w", err)
	}
	return announcementFromPB(&m)
}

func announcementFromPB(m *pb.Announcement) (protocol.Announcement, protocol.SignedBinding, error) {
	f := &fields{}
	a := protocol.Announcement{
		Peer:      f.peer("peer", m.GetPeer()),
		Worker:    f.account("worker", m.GetWorker()),
		Sequence:  m.GetSequence(),
		IssuedAt:  f.time("issued_at", m.GetIssuedAt()),
		ExpiresAt: f.time("expires_at", m.GetExpiresAt()),
		Base:      f.hash("base", m.GetBase()),
		Profile:   f.text("profile", m.GetProfile(), maxProfile),
		Slots:     f.count("slots", m.GetSlots(), maxSlots),
		Running:   f.count("running", m.GetRunning(), maxSlots),
		Waiting:   f.count("waiting", m.GetWaiting(), 1<<24),
		FreeKV:    f.count("free_kv", m.GetFreeKv(), 1<<31-1),
		TotalKV:   f.count("total_kv", m.GetTotalKv(), 1<<31-1),
		Trains:    m.GetTrains(),
		DecodeTPS: f.float("decode_tps", m.GetDecodeTps()),
		Hardware:  f.text("hardware", m.GetHardware(), protocol.MaxHardware),
		Price:     f.price("price", m.GetPrice()),
	}
	if a.Sequence == 0 {
		f.fail("sequence", "is 0: sequences start at 1")
	}
	if a.IssuedAt <= 0 || a.ExpiresAt <= a.IssuedAt || a.ExpiresAt-a.IssuedAt > protocol.AnnouncementTTL.Milliseconds() {
		f.fail("expires_at", "must be after issued_at by at most %s", protocol.AnnouncementTTL)
	}
	if a.Profile == "" {
		f.fail("profile", "is empty: name the numeric profile")
	}
	if strings.ContainsFunc(a.Hardware, func(r rune) bool { return !unicode.IsPrint(r) }) {
		f.fail("hardware", "has characters that cannot be printed")
	}
	if a.Slots == 0 {
		f.fail("slots", "is 0: announce at least one")
	}
	if a.TotalKV != 0 && a.FreeKV > a.TotalKV {
		f.fail("free_kv", "is %d, more than the total of %d", a.FreeKV, a.TotalKV)
	}
	if !a.Price.Access.IsZero() {
		f.fail("price.access", "is not zero: the adapter's owner sets it")
	}
	if !a.Price.Markup.IsZero() {
		f.fail("price.markup", "is not zero: the agent's owner sets it")
	}
	tags, tiers := m.GetAdapterTags(), m.GetAdapterTiers()
	if len(tags) > MaxAdapters {
		f.fail("adapters", "has %d entries, more than %d", len(tags), MaxAdapters)
	} else if len(tags) != len(tiers) {
		f.fail("adapters", "has %d tags and %d tiers", len(tags), len(tiers))
	} else {
		for i, tag := range tags {
			if protocol.Tier(tiers[i]) > protocol.TierDisk {
				f.fail("adapters", "tier %d is not a resident tier", tiers[i])
			}
			a.Adapters = append(a.Adapters, protocol.ResidentAdapter{Tag: tag, Tier: protocol.Tier(tiers[i])})
		}
	}
	b := m.GetBinding()
	if b.GetPeer() != "" || len(b.GetOwner()) != 0 {
		f.fail("binding", "repeats peer or owner: leave them out")
	}
	binding := f.binding("binding", &pb.Binding{
		Peer: m.GetPeer(), Owner: m.GetWorker(), NodeKey: b.GetNodeKey(), Payout: b.GetPayout(),
		IssuedAt: b.GetIssuedAt(), Expires: b.GetExpires(), Signature: b.GetSignature(),
	})
	if f.err != nil {
		return protocol.Announcement{}, protocol.SignedBinding{}, f.err
	}
	return a, binding, nil
}

// BindingToPB converts a binding for /openledger/id/1.
func BindingToPB(b protocol.SignedBinding) *pb.Binding {
	return &pb.Binding{
		Peer: string(b.Binding.Peer), NodeKey: b.Binding.NodeKey[:], Owner: b.Binding.Owner[:], Payout: b.Binding.Payout[:],
		IssuedAt: uint64(b.Binding.IssuedAt), Expires: uint64(b.Binding.Expires), Signature: b.Signature,
	}
}

// BindingFromPB is the strict inverse of BindingToPB.
func BindingFromPB(m *pb.Binding) (protocol.SignedBinding, error) {
	f := &fields{}
	b := f.binding("binding", m)
	return b, f.err
}

func (f *fields) binding(name string, m *pb.Binding) (b protocol.SignedBinding) {
	f.in(name, func() {
		b.Binding = protocol.Binding{
			Peer:     f.peer("peer", m.GetPeer()),
			NodeKey:  f.account("node_key", m.GetNodeKey()),
			Owner:    f.account("owner", m.GetOwner()),
			Payout:   f.account("payout", m.GetPayout()),
			IssuedAt: f.time("issued_at", m.GetIssuedAt()),
			Expires:  f.time("expires", m.GetExpires()),
		}
		b.Signature = f.signature(m.GetSignature())
		if b.Binding.Expires <= b.Binding.IssuedAt {
			f.fail("expires", "is not after issued_at")
		}
	})
	return b
}

// PriceToPB converts a price.
func PriceToPB(p protocol.Price) *pb.Price {
	return &pb.Price{InputPer_1K: amountBytes(p.InputPer1K), OutputPer_1K: amountBytes(p.OutputPer1K), Access: amountBytes(p.Access), Markup: amountBytes(p.Markup)}
}

func (f *fields) price(name string, m *pb.Price) (p protocol.Price) {
	f.in(name, func() {
		p = protocol.Price{
			InputPer1K:  f.amount("input_per_1k", m.GetInputPer_1K()),
			OutputPer1K: f.amount("output_per_1k", m.GetOutputPer_1K()),
			Access:      f.amount("access", m.GetAccess()),
			Markup:      f.amount("markup", m.GetMarkup()),
		}
		// A price above 2^128 wei per 1,000 tokens would overflow fees.
		for _, c := range []struct {
			name string
			bits int
		}{{"input_per_1k", p.InputPer1K.BitLen()}, {"output_per_1k", p.OutputPer1K.BitLen()}, {"access", p.Access.BitLen()}, {"markup", p.Markup.BitLen()}} {
			if c.bits > 128 {
				f.fail(c.name, "is more than 2^128 wei")
			}
		}
	})
	return p
}

// AnnouncementSequence reads only the sequence of an encoded announcement, for
// message ids; false when the bytes are not even protobuf.
func AnnouncementSequence(b []byte) (sequence uint64, ok bool) {
	const field = 3
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return 0, false
		}
		b = b[n:]
		if number == field && kind == protowire.VarintType {
			if sequence, n = protowire.ConsumeVarint(b); n < 0 {
				return 0, false
			}
			b, ok = b[n:], true
			continue
		}
		if n = protowire.ConsumeFieldValue(number, kind, b); n < 0 {
			return 0, false
		}
		b = b[n:]
	}
	return sequence, ok
}
