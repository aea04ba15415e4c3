package chat

// Expressions. Every node knows its line.
type (
	expr interface{ lineOf() int }

	at struct{ line int }

	constant struct {
		at
		v value
	}
	name struct {
		at
		id string
	}
	sequence struct { // [..] or (..)
		at
		items []expr
		isTup bool
	}
	mapping struct {
		at
		keys, values []expr
	}
	unary struct {
		at
		op string // "-", "+", "not"
		x  expr
	}
	binary struct {
		at
		op   string // + - * / // % ** and or
		x, y expr
	}
	join struct { // a ~ b ~ c
		at
		parts []expr
	}
	comparison struct {
		at
		x    expr
		ops  []string // == != < <= > >= in notin
		rest []expr
	}
	conditional struct {
		at
		test, then, otherwise expr // otherwise may be nil
	}
	attribute struct {
		at
		x  expr
		id string
	}
	subscript struct {
		at
		x, key expr
	}
	slicing struct {
		at
		from, to, step expr // each may be nil
	}
	call struct {
		at
		f    expr
		args arguments
	}
	filter struct {
		at
		x    expr // nil in a filter block
		id   string
		args arguments
	}
	test struct {
		at
		x    expr
		id   string
		args arguments
		not  bool
	}
)

// arguments of a call: positions, names, *list and **mapping.
type arguments struct {
	pos        []expr
	names      []string
	named      []expr
	star, dict expr
}

func (a at) lineOf() int { return a.line }

// Statements.
type (
	stmt interface{ lineOf() int }

	data struct {
		at
		text string
	}
	output struct {
		at
		exprs []expr
	}
	branch struct { // if, elif, else
		at
		tests  []expr
		bodies [][]stmt
		orelse []stmt
	}
	forLoop struct {
		at
		target       expr
		iter, filter expr
		body, orelse []stmt
		recursive    bool
	}
	assign struct {
		at
		target expr
		x      expr
	}
	assignBlock struct {
		at
		target  expr
		filters []*filter
		body    []stmt
	}
	nsTarget struct { // ns.attr, on the left of an assignment
		at
		ns, id string
	}
	macroDef struct {
		at
		name     string
		params   []string
		defaults []expr // of the last parameters
		body     []stmt
	}
	scope struct { // with, generation
		at
		targets []expr
		values  []expr
		body    []stmt
	}
	filterBlock struct {
		at
		filters []*filter
		body    []stmt
	}
	jump struct { // break, continue
		at
		isBreak bool
	}
)
