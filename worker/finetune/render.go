package finetune

import (
	"fmt"

	"github.com/openledger/openledger/worker/engine/tokenizer"
)

// Renderer turns records into examples: the prompt as a user's turn in the
// tokenizer's chat format, the answer as the assistant's, up to and with the
// token that ends it.
type Renderer struct {
	tokens         *tokenizer.Tokenizer
	prompt, answer *Template
}

// NewRenderer checks the templates (protocol.Hyper's PromptTemplate and
// AnswerTemplate).
func NewRenderer(t *tokenizer.Tokenizer, promptTemplate, answerTemplate string) (*Renderer, error) {
	if t.ChatFormat() == "" || len(t.StopIDs()) == 0 {
		return nil, fmt.Errorf("the base model's tokenizer has no chat format that this trainer knows: choose an instruction-tuned base")
	}
	p, a, err := parseTemplates(promptTemplate, answerTemplate)
	if err != nil {
		return nil, err
	}
	return &Renderer{tokens: t, prompt: p, answer: a}, nil
}

// CheckTemplates says what NewRenderer would say of the templates.
func CheckTemplates(promptTemplate, answerTemplate string) error {
	_, _, err := parseTemplates(promptTemplate, answerTemplate)
	return err
}

func parseTemplates(promptTemplate, answerTemplate string) (p, a *Template, err error) {
	if p, err = ParseTemplate(promptTemplate); err != nil {
		return nil, nil, &FieldError{Field: "prompt_template", Message: err.Error()}
	}
	if a, err = ParseTemplate(answerTemplate); err != nil {
		return nil, nil, &FieldError{Field: "answer_template", Message: err.Error()}
	}
	if len(a.Fields()) == 0 {
		return nil, nil, &FieldError{Field: "answer_template", Message: "names no field of a record, so every answer would be the same: write for example {answer}"}
	}
	return p, a, nil
}

// Example renders one record. An error names the missing field.
func (r *Renderer) Example(record [32]byte, fields map[string]string) (Example, error) {
	prompt, err := r.prompt.Render(fields)
	if err != nil {
		return Example{}, &FieldError{Field: "prompt_template", Message: err.Error()}
	}
	answer, err := r.answer.Render(fields)
	if err != nil {
		return Example{}, &FieldError{Field: "answer_template", Message: err.Error()}
	}
	if answer == "" {
		return Example{}, &FieldError{Field: "answer_template", Message: fmt.Sprintf("renders to nothing for record %x: it has an empty field", record)}
	}
	ids, err := r.tokens.RenderChat([]tokenizer.Message{{Role: "user", Content: prompt}}, true)
	if err != nil {
		return Example{}, err
	}
	return Example{
		Prompt: ids,
		Answer: r.tokens.Encode(answer),
		End:    r.tokens.StopIDs()[:1],
		Record: record,
	}, nil
}
