package coordinator

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store/datanet"
)

// maxTuneMessages bounds the messages of one line of a training file.
const maxTuneMessages = 1024

// chatMessage is one message as a record keeps it.
type chatMessage struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// chatExample is one answer to learn: what was said before it, and what it is.
type chatExample struct {
	Line     int // of the file, from 1
	Messages []chatMessage
	Answer   string
}

// splitField is the field of the records of a validation file that says what they are.
const splitField = "split"

// record is the example as a record of a datanet, for protocol.ChatPromptTemplate. One that
// is held out says so.
func (e chatExample) record(held bool) (datanet.Record, error) {
	messages, err := compactJSON(e.Messages)
	if err != nil {
		return datanet.Record{}, err
	}
	fields := map[string]string{"messages": messages, "answer": e.Answer}
	if held {
		fields[splitField] = protocol.HeldOutMark
	}
	r, err := datanet.NewText(fields)
	if err != nil {
		return r, lineError(e.Line, "%w", err)
	}
	return r, nil
}

func compactJSON(v any) (string, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return "", err
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

// tuneLine is a line of a training file: OpenAI's chat format, or a prompt and its
// completion.
type tuneLine struct {
	Messages   []tuneMessage   `json:"messages"`
	Prompt     *string         `json:"prompt"`
	Completion *string         `json:"completion"`
	Tools      json.RawMessage `json:"tools"`
	Functions  json.RawMessage `json:"functions"`
}

type tuneMessage struct {
	Role      string          `json:"role"`
	Content   json.RawMessage `json:"content"`
	Weight    *float64        `json:"weight"`
	ToolCalls json.RawMessage `json:"tool_calls"`
	Function  json.RawMessage `json:"function_call"`
}

// eachExample reads a training file and calls fn with every answer in it: each line has one
// for each assistant's message whose weight is not 0. Errors name the line.
func eachExample(ctx context.Context, r *bufio.Reader, fn func(chatExample) error) error {
	for n := 1; ; n++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		line, err := readLine(r)
		if err != nil && !errors.Is(err, io.EOF) {
			if errors.Is(err, bufio.ErrTooLong) {
				return lineError(n, "it is longer than the %d bytes of a record: split it", protocol.MaxRecordBytes)
			}
			return err
		}
		if n == 1 {
			line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
		}
		if len(bytes.TrimSpace(line)) > 0 {
			if err := examplesOf(n, line, fn); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
	}
}

// readLine gives the next line, at most as long as a record may be.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		if len(line)+len(part) > protocol.MaxRecordBytes {
			return nil, bufio.ErrTooLong
		}
		line = append(line, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

// fieldOfLines is the field of errors that name a line.
const fieldOfLines = "file"

func lineError(n int, format string, args ...any) error {
	return protocol.Errorf(protocol.KindInvalid, fieldOfLines, "line %d: "+format, append([]any{n}, args...)...)
}

func examplesOf(n int, line []byte, fn func(chatExample) error) error {
	if !utf8.Valid(line) {
		return lineError(n, "it is not UTF-8")
	}
	var in tuneLine
	if err := json.Unmarshal(line, &in); err != nil {
		return lineError(n, "it is not a JSON object with messages, or with prompt and completion: %w", err)
	}
	switch {
	case in.Messages != nil && (in.Prompt != nil || in.Completion != nil):
		return lineError(n, "it has messages and a prompt or completion: give one of both")
	case present(in.Tools) || present(in.Functions):
		return lineError(n, "tools: training on calls of tools is not possible here")
	case in.Messages != nil:
		return chatExamples(n, in.Messages, fn)
	case in.Prompt == nil || *in.Prompt == "":
		return lineError(n, "it has neither messages nor a prompt")
	case in.Completion == nil || strings.TrimSpace(*in.Completion) == "":
		return lineError(n, "it has a prompt and no completion")
	}
	return fn(chatExample{Line: n, Messages: []chatMessage{{"user", *in.Prompt}}, Answer: *in.Completion})
}

func present(raw json.RawMessage) bool {
	return len(raw) > 0 && string(raw) != "null" && string(raw) != "[]"
}

func chatExamples(n int, in []tuneMessage, fn func(chatExample) error) error {
	if len(in) == 0 || len(in) > maxTuneMessages {
		return lineError(n, "it has %d messages, 1 to %d are possible", len(in), maxTuneMessages)
	}
	var before []chatMessage
	answers := 0
	for i, m := range in {
		at := func(format string, args ...any) error {
			return lineError(n, "messages[%d]: "+format, append([]any{i}, args...)...)
		}
		if present(m.ToolCalls) || present(m.Function) {
			return at("training on calls of tools is not possible here")
		}
		if m.Role == "developer" {
			m.Role = "system"
		}
		if m.Role != "system" && m.Role != "user" && m.Role != "assistant" {
			return at("the role %.40q is not system, developer, user or assistant", m.Role)
		}
		text, err := contentOf(m.Content)
		if err != nil {
			return at("%w", err)
		}
		if m.Weight != nil && (m.Role != "assistant" || *m.Weight != 0 && *m.Weight != 1) {
			return at("weight is 0 or 1, and for assistants only")
		}
		if m.Role == "assistant" && (m.Weight == nil || *m.Weight == 1) {
			if strings.TrimSpace(text) == "" {
				return at("the assistant says nothing")
			}
			if len(before) == 0 {
				return at("the assistant speaks first: a user's message must come before it")
			}
			answers++
			if err := fn(chatExample{Line: n, Messages: append([]chatMessage(nil), before...), Answer: text}); err != nil {
				return err
			}
		}
		before = append(before, chatMessage{m.Role, text})
	}
	if answers == 0 {
		return lineError(n, "there is no assistant's message to learn")
	}
	return nil
}

// contentOf is a message's text: a string, or parts of type text.
func contentOf(raw json.RawMessage) (string, error) {
	var text string
	if json.Unmarshal(raw, &text) == nil && len(raw) > 0 && raw[0] == '"' {
		return text, nil
	}
	var parts []struct {
		Type string  `json:"type"`
		Text *string `json:"text"`
	}
	if json.Unmarshal(raw, &parts) != nil || len(parts) == 0 {
		return "", errors.New("content is neither a string nor a list of parts of type text")
	}
	for _, p := range parts {
		if p.Type != "text" || p.Text == nil {
			return "", errors.New("content has a part that is not text: this base reads text only")
		}
		text += *p.Text
	}
	return text, nil
}
