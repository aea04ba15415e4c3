// Package chat renders the chat templates that model files carry: a subset of Jinja,
// with the settings and the additions of Hugging Face transformers (trim_blocks,
// lstrip_blocks, loop controls, raise_exception, strftime_now, tojson without HTML
// escapes, the generation block).
//
// Every character of a rendered chat knows where it comes from: the template, an
// assistant's message, or other input. Slicing, splitting, joining, escaping and
// formatting keep it. The tokenizer takes special tokens from the template's
// characters only, so that no message, tool or argument can forge a turn.
//
// Invariants: rendering is a pure function of template and input (the clock is part
// of the input); it ends within its Limits of steps, bytes, depth and output; a
// template can reach nothing but its input: no files, no environment, no Go values;
// no template and no input panics.
//
// What it leaves out, each with an error that says so: include, import, extends,
// block, call blocks, autoescaping, and filters that make markup (escape, urlize).
// The filter safe returns its text unchanged; in Jinja, text marked safe would
// escape what is later added to it.
package chat
