package weights

import (
	"fmt"
	"slices"
)

// Verify reads all of a model: that every parameter is there, in its shape and with
// finite values, and that the tokenizer fits. Opening it has checked the rest.
func (b *Bundle) Verify(progress func(done, total int)) error {
	shapes := b.Config.ParamShapes()
	for i, p := range shapes {
		if progress != nil {
			progress(i, len(shapes))
		}
		values, shape, err := b.Tensor(p.Name)
		if err != nil {
			return err
		}
		if !slices.Equal(shape, p.Shape) {
			return fmt.Errorf("tensor %q has shape %v, the configuration asks for %v", p.Name, shape, p.Shape)
		}
		if at := slices.IndexFunc(values, func(v float32) bool { return v-v != 0 }); at >= 0 {
			return fmt.Errorf("tensor %q: value %d is not finite", p.Name, at)
		}
	}
	if n := b.Tokenizer.VocabSize(); n > b.Config.VocabSize {
		return fmt.Errorf("the tokenizer has %d tokens, the model only %d", n, b.Config.VocabSize)
	}
	if progress != nil {
		progress(len(shapes), len(shapes))
	}
	return nil
}
