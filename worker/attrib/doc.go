// Package attrib proves which records of a datanet an answer came from: it
// builds an index once per adapter and answers, for one (prompt, output), with
// integer weights per record.
package attrib

// maxCorpusTokens keeps positions in an int32.
const maxCorpusTokens = 1 << 30
