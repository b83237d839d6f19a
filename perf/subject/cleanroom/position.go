package main

import "strings"

// place leads to a table in a document: the header's name and which of the
// tables of that name it is, counted from 0 after the place before it.
type place []index

type index struct {
	header string
	n      int
}

// tableLines holds, for each line of a document, what starts there. The TOML
// decoder keeps no positions of values, so that errors find theirs here.
type tableLines []lineStart

// lineStart is a table header, or the key of a key/value pair, or neither.
type lineStart struct {
	header, key string
}

// findTables notes the headers and keys of text, line by line. Lines inside a
// multi-line string start nothing.
func findTables(text string) tableLines {
	var starts tableLines
	open := "" // the quotes that end the multi-line string we are in
	for line := range strings.Lines(text) {
		var s lineStart
		if open == "" {
			s = startOf(strings.TrimSpace(line))
		}
		open = openString(line, open)
		starts = append(starts, s)
	}
	return starts
}

// startOf reads what one line starts. It need not be exact TOML: the decoder has
// accepted the document, so that only what is valid has to be told apart.
func startOf(line string) lineStart {
	if strings.HasPrefix(line, "[") {
		head, _, ok := strings.Cut(strings.TrimLeft(line, "["), "]")
		if ok {
			return lineStart{header: bareKey(head)}
		}
	}
	if key, _, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(key, "#") {
		return lineStart{key: bareKey(key)}
	}
	return lineStart{}
}

// keyMarks takes blanks and quotes out. It builds its table when it is first used, so it
// costs nothing at the start; a new one for each key took a fifth of validate's time.
var keyMarks = strings.NewReplacer(`"`, "", "'", "", " ", "", "\t", "")

// bareKey drops blanks and quotes from a dotted key.
func bareKey(key string) string { return keyMarks.Replace(key) }

// openString returns the quotes of the multi-line string that is still open
// after line, when open were those before it.
func openString(line, open string) string {
	for {
		if open != "" {
			_, rest, closed := strings.Cut(line, open)
			if !closed {
				return open
			}
			line = rest
		}
		basic, literal := strings.Index(line, `"""`), strings.Index(line, "'''")
		switch {
		case basic < 0 && literal < 0:
			return ""
		case literal < 0 || basic >= 0 && basic < literal:
			line, open = line[basic+3:], `"""`
		default:
			line, open = line[literal+3:], "'''"
		}
	}
}

// find returns the line, counted from 1, of key in the table at; of the table's header
// when key is empty or not in it; and 1 when there is no such header.
func (s tableLines) find(at place, key string) int {
	start := -1
	for _, ix := range at {
		start = s.header(start+1, ix)
		if start < 0 {
			return s.find(nil, at[0].header) // written inline: name = [{...}]
		}
	}
	for i := start + 1; key != "" && i < len(s) && s[i].header == ""; i++ {
		if s[i].key == key {
			return i + 1
		}
	}
	if start < 0 {
		return s.topHeader(key)
	}
	return start + 1
}

// header returns where the ix.n-th header of that name from line on stands.
func (s tableLines) header(from int, ix index) int {
	n := ix.n
	for i := from; i < len(s); i++ {
		if s[i].header != ix.header {
			continue
		}
		if n == 0 {
			return i
		}
		n--
	}
	return -1
}

// topHeader returns the line of a table that is wrong as a whole, such as
// [steps] in place of [[steps]], and 1 when the document has none.
func (s tableLines) topHeader(name string) int {
	if i := s.header(0, index{header: name}); name != "" && i >= 0 {
		return i + 1
	}
	return 1
}
