package optim

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

var magic = [8]byte{'O', 'L', 'A', 'D', 'A', 'M', 'W', '1'}

// Save writes the state (step and moments), not the parameters.
func (o *AdamW) Save(w io.Writer) error {
	bw := bufio.NewWriterSize(w, 1<<16)
	var b [8]byte
	put := func(v uint64) {
		binary.LittleEndian.PutUint64(b[:], v)
		_, _ = bw.Write(b[:]) // a bufio error is sticky: Flush reports it
	}
	_, _ = bw.Write(magic[:])
	put(uint64(o.step))
	put(uint64(len(o.params)))
	for i, p := range o.params {
		put(uint64(len(p.Name)))
		_, _ = bw.WriteString(p.Name)
		put(uint64(len(p.W)))
		writeFloats(bw, o.m[i])
		writeFloats(bw, o.v[i])
	}
	if err := bw.Flush(); err != nil {
		return fmt.Errorf("optim: save state: %w", err)
	}
	return nil
}

// Load restores what Save wrote for the same list of parameters. On error the
// optimiser must not be used.
func (o *AdamW) Load(r io.Reader) error {
	br := bufio.NewReaderSize(r, 1<<16)
	var b [8]byte
	get := func() (uint64, error) {
		_, err := io.ReadFull(br, b[:])
		return binary.LittleEndian.Uint64(b[:]), err
	}
	if _, err := io.ReadFull(br, b[:]); err != nil {
		return fmt.Errorf("optim: read state: %w", err)
	}
	if b != magic {
		return errors.New("optim: not an optimiser state file")
	}
	step, err := get()
	if err != nil {
		return fmt.Errorf("optim: read state: %w", err)
	}
	if step > math.MaxInt32 {
		return fmt.Errorf("optim: state has an impossible step %d", step)
	}
	n, err := get()
	if err != nil {
		return fmt.Errorf("optim: read state: %w", err)
	}
	if n != uint64(len(o.params)) {
		return fmt.Errorf("optim: state has %d parameters, the model has %d", n, len(o.params))
	}
	for i, p := range o.params {
		if err := o.loadParam(br, get, i, p); err != nil {
			return err
		}
	}
	o.step = int(step)
	return nil
}

func (o *AdamW) loadParam(br *bufio.Reader, get func() (uint64, error), i int, p Param) error {
	ln, err := get()
	if err != nil {
		return fmt.Errorf("optim: state of %q: %w", p.Name, err)
	}
	if ln != uint64(len(p.Name)) {
		return fmt.Errorf("optim: state parameter %d is not %q", i, p.Name)
	}
	name := make([]byte, len(p.Name))
	if _, err := io.ReadFull(br, name); err != nil {
		return fmt.Errorf("optim: state of %q: %w", p.Name, err)
	}
	if string(name) != p.Name {
		return fmt.Errorf("optim: state parameter %d is %q, the model has %q", i, name, p.Name)
	}
	size, err := get()
	if err != nil {
		return fmt.Errorf("optim: state of %q: %w", p.Name, err)
	}
	if size != uint64(len(p.W)) {
		return fmt.Errorf("optim: state of %q has %d values, the model has %d", p.Name, size, len(p.W))
	}
	if err := readFloats(br, o.m[i]); err != nil {
		return fmt.Errorf("optim: state of %q: %w", p.Name, err)
	}
	if err := readFloats(br, o.v[i]); err != nil {
		return fmt.Errorf("optim: state of %q: %w", p.Name, err)
	}
	return nil
}

func writeFloats(w *bufio.Writer, x []float32) {
	var b [4]byte
	for _, v := range x {
		binary.LittleEndian.PutUint32(b[:], math.Float32bits(v))
		_, _ = w.Write(b[:])
	}
}

func readFloats(r *bufio.Reader, x []float32) error {
	var b [4]byte
	for i := range x {
		if _, err := io.ReadFull(r, b[:]); err != nil {
			return err
		}
		x[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[:]))
	}
	return nil
}

// StateSize is the number of bytes that Save writes.
func (o *AdamW) StateSize() int {
	n := len(magic) + 16
	for _, p := range o.params {
		n += 16 + len(p.Name) + 8*len(p.W)
	}
	return n
}
