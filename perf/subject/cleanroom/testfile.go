package main

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// testFile is a test as its file describes it, checked: names are there,
// services are declared, regular expressions compile.
type testFile struct {
	name      string
	services  []service
	steps     []step
	scenarios []scenario
}

// service is something that stays up while the steps of its file run; an empty
// image means the default.
type service struct {
	name, plugin, image string
}

// step is one command line and what its output must match; want may be nil, and
// an empty image means the default.
type step struct {
	name, command, image string
	want                 *regexp.Regexp
}

// scenario is a named group of steps, beside a service if one is named.
type scenario struct {
	name, service string
	steps         []step
}

// parseError is a fault of a test file with the line where it is.
type parseError struct {
	file string
	line int
	msg  string
}

func (e *parseError) Error() string { return fmt.Sprintf("%s:%d: %s", e.file, e.line, e.msg) }

// parse reads and checks text, the rendered form of the file name. The form is
// clnrm's: [meta] with name and version, or [test.metadata] with name;
// [[steps]] with name, command (array, joined with spaces),
// expected_output_regex and (not in clnrm) image; [service.NAME] with plugin and
// image; [[scenario]] with name, service, and run or [[scenario.steps]]. Other
// keys are read by other tools and left alone. The error is a *parseError, the first of the file.
func parse(name, text string) (*testFile, error) {
	var root map[string]any
	if _, err := toml.Decode(text, &root); err != nil {
		return nil, tomlError(name, err)
	}
	r := &reader{file: name, lines: findTables(text)}
	t := &testFile{name: r.metaName(root)}
	t.services = r.services(root)
	for i, tab := range r.tables(root, "steps", nil) {
		t.steps = append(t.steps, r.step(tab, place{{"steps", i}}))
	}
	for i, tab := range r.tables(root, "scenario", nil) {
		t.scenarios = append(t.scenarios, r.scenario(tab, place{{"scenario", i}}, t.services))
	}
	if len(t.steps)+len(t.scenarios) == 0 && len(r.faults) == 0 {
		r.fail(nil, "", "no [[steps]] and no [[scenario]]: the test would check nothing")
	}
	return t, r.err()
}

// tomlError gives an error of the TOML parser the shape of the others.
func tomlError(name string, err error) error {
	var pe toml.ParseError
	if errors.As(err, &pe) {
		// The parser names line 0 where the text ends inside an escape.
		return &parseError{name, max(pe.Position.Line, 1), pe.Message}
	}
	return &parseError{name, 1, err.Error()}
}

// reader takes a decoded document apart and notes each fault with its line.
// It works on plain maps because the decoder knows no line of a value in an
// array of tables, which is where most of a test file stands.
type reader struct {
	file   string
	lines  tableLines
	faults []*parseError
}

// err returns the first fault, which says how many follow it.
func (r *reader) err() error {
	if len(r.faults) == 0 {
		return nil
	}
	first := *slices.MinFunc(r.faults, func(a, b *parseError) int { return a.line - b.line })
	if more := len(r.faults) - 1; more > 0 {
		first.msg += fmt.Sprintf(" (and %d more)", more)
	}
	return &first
}

// fail notes a fault of the key in the table at; an empty key means the table.
func (r *reader) fail(at place, key, format string, args ...any) {
	r.faults = append(r.faults, &parseError{r.file, r.lines.find(at, key), fmt.Sprintf(format, args...)})
}

// metaName returns the test's name from either of the two headers.
func (r *reader) metaName(root map[string]any) string {
	if meta, ok := r.table(root, "meta", nil); ok {
		at := place{{"meta", 0}}
		r.required(meta, "version", at)
		return r.required(meta, "name", at)
	}
	test, _ := r.table(root, "test", nil)
	if data, ok := r.table(test, "metadata", place{{"test", 0}}); ok {
		return r.required(data, "name", place{{"test.metadata", 0}})
	}
	if len(r.faults) == 0 { // a header that is no table has been named above
		r.fail(nil, "", "neither [meta] nor [test.metadata]: the test has no name")
	}
	return ""
}

// services returns the declared services by name: a TOML table has no order.
func (r *reader) services(root map[string]any) []service {
	var list []service
	tabs, _ := r.table(root, "service", nil)
	for _, name := range slices.Sorted(maps.Keys(tabs)) {
		at := place{{"service." + name, 0}}
		tab, ok := r.table(tabs, name, at)
		if !ok {
			continue
		}
		s := service{name: name, plugin: r.text(tab, "plugin", at), image: r.text(tab, "image", at)}
		switch s.plugin {
		case "":
			s.plugin = "generic_container"
		case "generic_container", "surrealdb":
		default:
			r.fail(at, "plugin", "Unknown service plugin: %s", s.plugin)
		}
		list = append(list, s)
	}
	return list
}

// step reads one [[steps]] or [[scenario.steps]] table.
func (r *reader) step(tab map[string]any, at place) step {
	s := step{name: r.required(tab, "name", at), image: r.text(tab, "image", at)}
	words, ok := tab["command"].([]any)
	if !ok || len(words) == 0 {
		r.fail(at, "command", "step %q: command must be an array of words, as in [\"echo\", \"hello\"]", s.name)
	}
	var command []string
	// clnrm joins the words the same way: quotes that the shell should see have to
	// stand inside a word.
	for _, w := range words {
		word, ok := w.(string)
		if !ok {
			r.fail(at, "command", "step %q: command holds %v, which is not a string", s.name, w)
		}
		command = append(command, word)
	}
	s.command = strings.Join(command, " ")
	expr := r.text(tab, "expected_output_regex", at)
	if expr == "" {
		return s
	}
	want, err := regexp.Compile(expr)
	if err != nil {
		r.fail(at, "expected_output_regex", "step %q: %v", s.name, err)
	}
	s.want = want
	return s
}

// scenario reads one [[scenario]] table; run is its first step.
func (r *reader) scenario(tab map[string]any, at place, services []service) scenario {
	s := scenario{name: r.required(tab, "name", at), service: r.text(tab, "service", at)}
	// clnrm ignores the name; here a scenario beside a service that nobody starts
	// would pass without it.
	known := func(v service) bool { return v.name == s.service }
	if s.service != "" && !slices.ContainsFunc(services, known) {
		r.fail(at, "service", "scenario %q: service %q is not declared", s.name, s.service)
	}
	if run := r.text(tab, "run", at); run != "" {
		s.steps = append(s.steps, step{name: s.name, command: run, image: r.text(tab, "image", at)})
	}
	for i, sub := range r.tables(tab, "steps", at) {
		s.steps = append(s.steps, r.step(sub, append(slices.Clone(at), index{"scenario.steps", i})))
	}
	if len(s.steps) == 0 {
		r.fail(at, "", "scenario %q: must have run or [[scenario.steps]]", s.name)
	}
	return s
}

// text returns the string under key, or "" when there is none.
func (r *reader) text(tab map[string]any, key string, at place) string {
	v, ok := tab[key]
	s, isText := v.(string)
	if ok && !isText {
		r.fail(at, key, "%s must be a string, not %v", key, v)
	}
	return s
}

// required returns the string under key, which must be there and not empty.
func (r *reader) required(tab map[string]any, key string, at place) string {
	s := r.text(tab, key, at)
	// A value of another type has its fault from text already.
	if _, there := tab[key]; s == "" && (!there || tab[key] == "") {
		r.fail(at, "", "%s is missing", key)
	}
	return s
}

// table returns the table under key, and whether there is one.
func (r *reader) table(tab map[string]any, key string, at place) (map[string]any, bool) {
	v, ok := tab[key]
	t, isTable := v.(map[string]any)
	if ok && !isTable {
		r.fail(at, key, "%s must be a table", key)
	}
	return t, isTable
}

// tables returns the array of tables under key, in either notation of TOML.
func (r *reader) tables(tab map[string]any, key string, at place) []map[string]any {
	switch v := tab[key].(type) {
	case nil:
		return nil
	case []map[string]any:
		return v
	case []any:
		var list []map[string]any
		for _, e := range v {
			if t, ok := e.(map[string]any); ok {
				list = append(list, t)
			}
		}
		if len(list) == len(v) {
			return list
		}
	}
	r.fail(at, key, "%s must be an array of tables, written [[%s]]", key, key)
	return nil
}
