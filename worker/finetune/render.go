package finetune

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/openledger/openledger/worker/engine/tokenizer"
)

// ChatPrompt is the prompt template for records of chats: their field "messages" is a JSON
// list of {"role", "content"}, which are rendered as turns in the tokenizer's chat format, as
// a request with these messages is.
const ChatPrompt = "{messages|chat}"

// maxChatTurns bounds the messages of one record.
const maxChatTurns = 1024

// Renderer turns records into examples: the prompt as a user's turn in the
// tokenizer's chat format, or with [ChatPrompt] as the turns of a chat, the answer as the
// assistant's, up to and with the token that ends it.
type Renderer struct {
	tokens         *tokenizer.Tokenizer
	prompt, answer *Template // prompt is nil for chats
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
	if promptTemplate != ChatPrompt {
		if p, err = ParseTemplate(promptTemplate); err != nil {
			return nil, nil, &FieldError{Field: "prompt_template", Message: err.Error()}
		}
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
	messages, err := r.messages(fields)
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
	ids, err := r.tokens.RenderChat(messages, true)
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

// Texts are a record's question and answer as people read them: a chat with one line for
// each turn, after the name of who speaks.
func (r *Renderer) Texts(fields map[string]string) (question, answer string, err error) {
	messages, err := r.messages(fields)
	if err != nil {
		return "", "", err
	}
	if answer, err = r.answer.Render(fields); err != nil {
		return "", "", err
	}
	if len(messages) == 1 && messages[0].Role == "user" {
		return messages[0].Content, answer, nil
	}
	lines := make([]string, len(messages))
	for i, m := range messages {
		lines[i] = m.Role + ": " + m.Content
	}
	return strings.Join(lines, "\n"), answer, nil
}

// messages are what a record asks with.
func (r *Renderer) messages(fields map[string]string) ([]tokenizer.Message, error) {
	if r.prompt != nil {
		prompt, err := r.prompt.Render(fields)
		return []tokenizer.Message{{Role: "user", Content: prompt}}, err
	}
	text, ok := fields["messages"]
	if !ok {
		return nil, fmt.Errorf("%q: there is no field messages: records of chats have messages and an answer", ChatPrompt)
	}
	var turns []struct {
		Role    string `json:"role"`
		Content string `json:"content"`
	}
	dec := json.NewDecoder(bytes.NewReader([]byte(text)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&turns); err != nil || dec.More() {
		return nil, fmt.Errorf("%q: the field messages is not a list of {\"role\", \"content\"} in JSON", ChatPrompt)
	}
	if len(turns) == 0 || len(turns) > maxChatTurns {
		return nil, fmt.Errorf("%q: there are %d messages, 1 to %d are possible", ChatPrompt, len(turns), maxChatTurns)
	}
	out := make([]tokenizer.Message, len(turns))
	for i, m := range turns {
		out[i] = tokenizer.Message(m)
	}
	return out, nil
}
