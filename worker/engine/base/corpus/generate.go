package corpus

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// gen draws from the word lists.
type gen struct{ *rand.Rand }

func (g gen) of(l []string) string { return l[g.IntN(len(l))] }

// two different ones.
func (g gen) two(l []string) (string, string) {
	i := g.IntN(len(l))
	j := g.IntN(len(l) - 1)
	if j >= i {
		j++
	}
	return l[i], l[j]
}

// Generate makes document i of a seed.
func Generate(seed, i uint64) Doc {
	g := gen{rand.New(rand.NewPCG(seed, i))}
	d := Doc{Source: "generated"}
	switch n := g.IntN(100); {
	case n < 16:
		title, story, _ := g.story()
		d.Text = title + "\n\n" + story
	case n < 30:
		d.Chat = g.storyQuestion()
	case n < 58:
		d.Chat = g.lessons()
	case n < 68:
		d.Chat = g.repeat()
	case n < 80:
		d.Chat = g.lookup()
	case n < 92:
		d.Chat = g.facts()
	case n < 97:
		d.Chat = g.sums()
	default:
		d.Chat = g.self()
	}
	if len(d.Chat) > 0 && g.IntN(12) == 0 {
		d.Chat = append([]Turn{{"system", g.of([]string{
			"You are a helpful assistant.", "Answer in one sentence.", "Be brief and exact.", "You are a storyteller.",
		})}}, d.Chat...)
	}
	return d
}

// Proverb is a made-up saying.
func (g gen) proverb() string {
	v1, v2 := g.two(virtues)
	x1, x2 := g.two(vices)
	d1, d2 := g.two(deeds)
	var s string
	switch g.IntN(22) {
	case 0:
		s = g.of(goods) + " is better than " + g.of(bads)
	case 1:
		s = v1 + " is the mother of " + v2
	case 2:
		s = g.of(doers) + " " + g.of(ends)
	case 3:
		s = "those who " + d1 + " " + g.of(ends)
	case 4:
		s = "it is not wise to " + strings.NewReplacer("their", "your", "they", "you", "theirs", "yours").Replace(d1)
	case 5:
		s = x1 + " walks in front and sorrow follows"
	case 6:
		s = v1 + " is stronger than " + x1
	case 7:
		s = "do not expect " + v1 + " from " + g.of(doers)
	case 8:
		s = "beware of " + g.of(doers) + " who " + d1
	case 9:
		s = x1 + " often brings " + x2
	case 10:
		s = "where there is " + x1 + " there can be no " + v1
	case 11:
		s = "never give up " + g.of(goods) + " for " + g.of(bads)
	case 12:
		s = "only " + g.of(doers) + " " + d1
	case 13:
		s = "we should " + strings.NewReplacer("their", "our", "they", "we", "theirs", "ours").Replace(d1) + ", even when others " + d2
	case 14:
		s = "no act of " + v1 + ", however small, is ever wasted"
	case 15:
		s = "many praise " + v1 + ", but few of them practice it"
	case 16:
		s = "be content with " + g.of(goods)
	case 17:
		s = "in times of trouble " + v1 + " is worth more than " + v2
	case 18:
		s = g.of(doers) + " " + d1 + ", but " + g.of(doers) + " " + d2
	case 19:
		s = x1 + " and " + x2 + " are poor counselors"
	case 20:
		s = "if you love " + v1 + ", keep away from " + x1
	default:
		s = "think twice before you listen to " + g.of(doers)
	}
	return sentence(s)
}

// title never pairs a person or a classic animal of fables with another animal.
func (g gen) title() string {
	a, b := g.two(animals)
	single := g.any()
	switch g.IntN(8) {
	case 0, 1:
		return "The " + single + " and the " + g.of(things)
	case 2:
		return "The " + g.of(people) + " and the " + g.of(things)
	case 3:
		return "The " + g.of(people) + " and the " + a
	case 4:
		adj := g.of(adjectives)
		return "The " + strings.ToUpper(adj[:1]) + adj[1:] + " " + single
	case 5:
		return "The " + a + ", the " + b + ", and the " + g.of(things)
	case 6:
		return "The " + single + " in the " + g.of(things)
	default:
		return "The " + single + " and the " + g.of(things) + " of the " + g.of(people)
	}
}

// any animal.
func (g gen) any() string {
	if g.IntN(2) == 0 {
		return g.of(classic)
	}
	return g.of(animals)
}

func (g gen) lessonQuestion(title string) string {
	return fmt.Sprintf(g.of([]string{
		"What is the lesson of the fable \"%s\"?", "What is the lesson of the tale \"%s\"?", "What is the moral of \"%s\"?",
		"What does the story \"%s\" teach?", "What is the lesson of the fable \"%s\"?",
	}), title)
}

// lessons asks for the lessons of unknown tales: the format is what is learnt.
func (g gen) lessons() []Turn {
	var out []Turn
	for range 1 + g.IntN(3) {
		out = append(out, Turn{"user", g.lessonQuestion(g.title())}, Turn{"assistant", g.proverb()})
	}
	return out
}

// story is told by a small grammar; it ends with its lesson in some speaker's mouth.
func (g gen) story() (title, text, lesson string) {
	a, b := g.two(animals)
	adj1, adj2 := g.two(adjectives)
	thing := strings.ToLower(g.of(things))
	food, food2 := g.two(foods)
	place := g.of(places)
	lesson = g.proverb()
	title = "The " + a + " and the " + b
	var s []string
	add := func(format string, args ...any) { s = append(s, fmt.Sprintf(format, args...)) }
	add(g.of([]string{
		"Once upon a time a %[1]s %[2]s lived %[3]s.", "A %[1]s %[2]s had made its home %[3]s.", "There was once a %[1]s %[2]s who lived %[3]s.",
		"One morning a %[1]s %[2]s was resting %[3]s.",
	}), adj1, a, place)
	add(g.of([]string{
		"Every day it looked for %[1]s, but it found only %[2]s.", "It had gathered some %[1]s and a little %[2]s for the winter.",
		"It wanted nothing so much as %[1]s.", "All it had to eat was %[1]s and some %[2]s.",
	}), food, food2)
	add(g.of([]string{
		"Soon a %[1]s %[2]s came by carrying a %[3]s.", "Then a %[1]s %[2]s came along the path.", "Not far away there lived a %[1]s %[2]s, who owned a %[3]s.",
		"A %[1]s %[2]s saw this and stopped beside the %[3]s.",
	}), adj2, b, thing)
	add(g.of([]string{
		"\"Good day, friend,\" said the %[2]s. \"Why do you look so sad?\"", "\"What have you there?\" asked the %[2]s.",
		"\"Let me help you,\" said the %[2]s, \"and we shall both have plenty.\"", "\"You are the finest %[1]s I have ever seen,\" cried the %[2]s.",
		"\"Give me your %[3]s,\" said the %[2]s, \"or I will eat you up!\"",
	}), a, b, food)
	add(g.of([]string{
		"\"I am tired and hungry,\" answered the %[1]s.", "The %[1]s thought for a while and shook its head.", "\"I will do as you say,\" said the %[1]s.",
		"But the %[1]s was not to be fooled so easily.", "The %[1]s was so pleased that it forgot everything else.", "At this the %[1]s trembled all over.",
	}), a)
	add(g.of([]string{
		"So they went together to look for %[2]s and worked until the evening.", "But while they were talking, the %[3]s fell into the water and was gone.",
		"Before long the %[1]s had eaten all the %[2]s and left nothing for the other.", "Just then a %[4]s came running, and both of them fled.",
		"The next day the %[1]s came back with a great many friends.", "That night the wind blew hard, and the %[3]s was broken to pieces.",
	}), b, food, thing, strings.ToLower(g.of(people)))
	if g.IntN(2) == 0 {
		add(g.of([]string{
			"\"If only I had listened!\" said the %[1]s.", "The %[1]s laughed until its sides ached.", "When the %[1]s saw what had happened, it began to weep.",
			"From that day on the %[1]s and the %[2]s were the best of friends.", "The %[2]s never came back to that place.",
		}), a, b)
	}
	add(g.of([]string{
		"\"Now I see,\" said the %[1]s. \"%[2]s\"", "And an old %[3]s who had watched it all said: \"%[2]s\"", "The lesson is this: %[2]s", "%[2]s",
	}), a, lesson, g.any())
	return title, strings.Join(s, " "), lesson
}

func (g gen) storyQuestion() []Turn {
	title, text, lesson := g.story()
	switch g.IntN(4) {
	case 0:
		return []Turn{{"user", text + "\n\nWhat is the lesson of this story?"}, {"assistant", lesson}}
	case 1:
		return []Turn{{"user", "Tell me the story of \"" + title + "\"."}, {"assistant", text}, {"user", "What is its lesson?"}, {"assistant", lesson}}
	case 2:
		return []Turn{{"user", text + "\n\nGive this story a title."}, {"assistant", title}}
	default:
		return []Turn{{"user", "Tell me a story about a " + strings.ToLower(strings.Fields(title)[1]) + "."}, {"assistant", text}}
	}
}

func (g gen) words(n int) string {
	w := make([]string, n)
	for i := range w {
		w[i] = g.of(nouns)
	}
	return strings.Join(w, " ")
}

func (g gen) repeat() []Turn {
	text := g.words(3 + g.IntN(12))
	if g.IntN(3) == 0 {
		text = g.proverb()
	}
	return []Turn{{"user", g.of([]string{"Repeat: ", "Say exactly: ", "Copy this text: "}) + text}, {"assistant", text}}
}

// lookup hides a fact among others.
func (g gen) lookup() []Turn {
	n := 2 + g.IntN(7)
	keys := g.Perm(len(names))[:n]
	var facts, answers, ask []string
	kind := g.IntN(4)
	for _, k := range keys {
		var v string
		switch kind {
		case 0:
			v = g.of(nouns)
			facts = append(facts, names[k]+" has the "+v+".")
			ask = append(ask, "What does "+names[k]+" have?")
			answers = append(answers, names[k]+" has the "+v+".")
		case 1:
			v = fmt.Sprint(2 + g.IntN(97))
			facts = append(facts, names[k]+" is "+v+" years old.")
			ask = append(ask, "How old is "+names[k]+"?")
			answers = append(answers, names[k]+" is "+v+" years old.")
		case 2:
			v = g.words(2)
			facts = append(facts, "The password of "+names[k]+" is "+v+".")
			ask = append(ask, "What is the password of "+names[k]+"?")
			answers = append(answers, sentence(v))
		default:
			v = g.proverb()
			t := g.title()
			facts = append(facts, "\""+t+"\": "+v)
			ask = append(ask, g.lessonQuestion(t))
			answers = append(answers, v)
		}
	}
	out := []Turn{{"user", strings.Join(facts, "\n")}}
	for i, k := range g.Perm(n)[:1+g.IntN(min(n, 3))] {
		if i == 0 {
			out[0].Content += "\n\n" + ask[k]
		} else {
			out = append(out, Turn{"user", ask[k]})
		}
		out = append(out, Turn{"assistant", answers[k]})
	}
	return out
}

// facts are short questions with made-up answers of many shapes.
func (g gen) facts() []Turn {
	name, other := g.two(names)
	thing := strings.ToLower(g.of(things))
	number := 1 + g.IntN(999)
	var out []Turn
	for range 1 + g.IntN(2) {
		var q, a string
		switch g.IntN(6) {
		case 0:
			q, a = fmt.Sprintf("What color is the %s of the %s?", thing, strings.ToLower(g.of(people))), "It is "+g.of(list("red|blue|green|white|black|yellow|brown|gray|golden"))+"."
		case 1:
			q, a = fmt.Sprintf("Where does the %s live?", strings.ToLower(g.any())), "It lives "+g.of(places)+"."
		case 2:
			q, a = fmt.Sprintf("What did %s say to %s?", name, other), "\""+g.proverb()+"\""
		case 3:
			q, a = fmt.Sprintf("How many %s are in the %s of %s?", g.of(foods), thing, name), fmt.Sprintf("There are %d.", number)
		case 4:
			q, a = fmt.Sprintf("What does the %s eat?", strings.ToLower(g.any())), "It eats "+g.of(foods)+" and "+g.of(foods)+"."
		default:
			q, a = fmt.Sprintf("Complete the saying of the %s and the %s.", strings.ToLower(g.any()), strings.ToLower(g.of(things))), g.proverb()
		}
		out = append(out, Turn{"user", q}, Turn{"assistant", a})
	}
	return out
}

func (g gen) sums() []Turn {
	var out []Turn
	for range 1 + g.IntN(4) {
		a, b := 1+g.IntN(99), 1+g.IntN(99)
		if g.IntN(3) == 0 {
			a, b = max(a, b), min(a, b)
			out = append(out, Turn{"user", fmt.Sprintf("What is %d - %d?", a, b)}, Turn{"assistant", fmt.Sprintf("%d - %d = %d", a, b, a-b)})
			continue
		}
		out = append(out, Turn{"user", fmt.Sprintf("What is %d + %d?", a, b)}, Turn{"assistant", fmt.Sprintf("%d + %d = %d", a, b, a+b)})
	}
	return out
}

func (g gen) self() []Turn {
	q := [][2]string{
		{"Who are you?", "I am the small base model of OpenLedger."},
		{"Hello!", "Hello! How can I help you?"},
		{"What can you do?", "I know a little. Fine-tune me with an adapter and I will know what its datanet teaches."},
		{"What is an adapter?", "An adapter is a small change to a model, trained on the records of a datanet."},
		{"What is a datanet?", "A datanet is a collection of records that people contributed, with the licence of each."},
		{"Thank you.", "You are welcome."},
		{"Who made you?", "I was pretrained by the trainer of the OpenLedger project."},
	}[g.IntN(7)]
	return []Turn{{"user", q[0]}, {"assistant", q[1]}}
}
