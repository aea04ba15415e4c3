package protocol

// Merge says that an adapter is not trained but merged of others: its lineage. It is
// part of Hyper, so the owner's signature and the registry's hyper hash cover it.
type Merge struct {
	// Method as PEFT's add_weighted_adapter names it: cat, svd, linear, ties, ties_svd,
	// dare_linear, dare_linear_svd, dare_ties, dare_ties_svd, magnitude_prune,
	// magnitude_prune_svd. Hyper.Rank and Hyper.Seed belong to it.
	Method    string  `json:"method"`
	Density   float64 `json:"density,omitempty"`   // part of the values that is kept, for methods that prune
	Frequency bool    `json:"frequency,omitempty"` // TIES elects a sign by how many have it
	// Parents by CID, ascending.
	Parents []MergeParent `json:"parents"`
	// Renderings are the parents' ways to turn a record into an example, each once: the
	// attribution index holds every record as all of them show it.
	Renderings []Rendering `json:"renderings"`
}

// MergeParent is one adapter of a merge.
type MergeParent struct {
	Adapter CID     `json:"adapter"`
	Weight  float64 `json:"weight"`
}

// Rendering turns a record's fields into an example, as Hyper's templates do.
type Rendering struct {
	Prompt string `json:"prompt_template"`
	Answer string `json:"answer_template"`
}

// Parents are the adapters that one made with h is derived from, none for a training.
func (h Hyper) Parents() []CID {
	if h.Merge == nil {
		return nil
	}
	var out []CID
	for _, p := range h.Merge.Parents {
		out = append(out, p.Adapter)
	}
	return out
}

// Examples lists how the records of an adapter become examples.
func (h Hyper) Examples() []Rendering {
	if h.Merge != nil {
		return h.Merge.Renderings
	}
	return []Rendering{{Prompt: h.PromptTemplate, Answer: h.AnswerTemplate}}
}
