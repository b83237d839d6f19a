package report

import (
	"fmt"
	"html"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// Markdown writes the document in GitHub's dialect of Markdown, for a pull request or a
// step summary: the verdict, the table that the terminal shows, and the reasons. Foreign
// text in it is text: no name can be a tag, a link or a mention.
func (d Document) Markdown(w io.Writer) error {
	out := &writer{w: w}
	d.markdownHead(out)
	t, rest := d.split()
	markdownTable(out, t.head, t.align, t.rows)
	if len(rest) > 0 {
		out.printf("\n<details><summary>%s</summary>\n\n", plural(len(rest), "other metric"))
		markdownTable(out, t.head, t.align, rest)
		out.printf("\n</details>\n")
	}
	if !d.Compared {
		markdownScaling(out, d.Result)
	}
	d.markdownReasons(out)
	markdownProfiles(out, d.Result.Comparisons)
	d.markdownWarnings(out)
	return out.err
}

// split sets the table, what decides apart from what is only shown.
func (d Document) split() (t *table, rest [][]string) {
	switch {
	case d.paired():
		t = pairedRows(d.Result)
	case d.Compared:
		t = comparisonRows(d.Result.Comparisons)
	case len(d.Result.Scaling) > 0:
		t = scalingRows(d.Result, medianOf)
		t.rows = slices.DeleteFunc(t.rows, func(row []string) bool { return row == nil })
		return t, nil
	default:
		rows := newResultTable(Style{})
		rows.fill(d.Result)
		t = &rows.table
	}
	for i, row := range t.rows {
		if row == nil {
			t.rows, rest = t.rows[:i], t.rows[i+1:]
			break
		}
	}
	return t, rest
}

// marks are shown before a headline: whoever sees ten of them in a row reads colours.
var marks = map[int]string{perf.ExitOK: "✅", perf.ExitGate: "❌", perf.ExitUnjudged: "❓"}

func (d Document) markdownHead(out *writer) {
	r := d.Result
	mark, ok := marks[r.Exit]
	if !ok {
		mark = "❌"
	}
	headline := d.headline()
	if r.Exit == perf.ExitOK {
		headline = exitWord(r.Exit)
		if list := notWell(d.outcomes()); len(list) > 0 {
			mark, headline = "⚠️", list[0].name()+" is "+list[0].state
			if more := len(list) - 1; more > 0 {
				headline += fmt.Sprintf(", and %d more", more)
			}
		}
	}
	out.printf("### %s %s: %s\n\n", mark, mdText(r.Suite), mdText(headline))
	commit := ""
	if c := shortCommit(r.Subject.Commit); c != "" {
		commit = " at " + mdText(c)
	}
	if r.Subject.Dirty {
		commit += " with uncommitted changes"
	}
	out.printf("%s%s, %s mode, %s\n\n", mdText(r.Subject.Name), commit, mdText(r.Mode), mdText(machineLine(r.Machine)))
}

// markdownTable writes rows of clean cells.
func markdownTable(out *writer, head []string, aligns []align, rows [][]string) {
	if len(rows) == 0 {
		out.printf("Nothing was measured.\n")
		return
	}
	line := func(cells []string) {
		out.printf("|")
		for _, c := range cells {
			out.printf(" %s |", mdText(c))
		}
		out.printf("\n")
	}
	line(head)
	out.printf("|")
	for _, a := range aligns {
		out.printf("%s", map[align]string{left: " :--- |", right: " ---: |"}[a])
	}
	out.printf("\n")
	for _, row := range rows {
		if row != nil {
			line(row)
		}
	}
}

// markdownScaling writes what is beside the table of a run at several levels of
// parallelism: the law of each network, the answer and the advice.
func markdownScaling(out *writer, r *perf.Result) {
	for _, s := range r.Scaling {
		out.printf("\n**%s**: %s.\n", mdText(s.Name), mdText(scalingLaw(s)))
		if s.Answer != "" {
			out.printf("\n%s\n", mdText(s.Answer))
		}
		for i, a := range s.Advice {
			if i == 0 {
				out.printf("\n")
			}
			out.printf("- What would help: %s\n", mdText(a))
		}
	}
	markdownWhere(out, r)
}

// markdownReasons writes why, of everything that is not well, the worst first.
func (d Document) markdownReasons(out *writer) {
	for _, f := range notWell(d.outcomes()) {
		if f.reason == "" {
			continue
		}
		out.printf("\n**%s** %s", mdText(f.state), mdText(f.name()))
		reason := strings.TrimPrefix(indent(f.reason), f.state+": ")
		if !strings.Contains(reason, "\n") {
			out.printf(": %s\n", mdText(reason))
			continue
		}
		fence := fenceFor(reason)
		out.printf("\n\n%s\n%s\n%s\n", fence, strings.ReplaceAll(reason, "\n    ", "\n"), fence)
	}
	if !d.Result.Complete {
		missing, rest := unfinished(d.Result)
		out.printf("\n**%s** %s; what is above %s\n", incomplete, missing, rest)
	}
}

func (d Document) markdownWarnings(out *writer) {
	list := slices.Clone(d.Result.Warnings)
	for _, w := range d.Result.Workloads {
		if d.Compared && !d.paired() {
			break // the run's own report has told them
		}
		for _, warning := range w.Warnings {
			warning.Text = w.Name + ": " + warning.Text
			list = append(list, warning)
		}
	}
	if len(list) == 0 {
		return
	}
	out.printf("\n<details><summary>%s</summary>\n\n", plural(len(list), "warning"))
	for _, w := range list {
		out.printf("- %s\n", mdText(w.Text))
	}
	out.printf("\n</details>\n")
}

// mdSpecial are the characters that mean something in Markdown, and those by which GitHub
// recognises references and formulas.
var mdSpecial = regexp.MustCompile("[\\\\`*_{}\\[\\]()#+!|~$^=:-]")

// mdMention begins what GitHub would notify somebody of.
var mdMention = regexp.MustCompile(`@(\w)`)

// mdText makes foreign text one line of Markdown that reads as that text. A character
// that could mean something gets a backslash where it could, so that the source stays
// readable where it cannot.
func mdText(s string) string {
	s = html.EscapeString(clean(s))
	s = strings.ReplaceAll(s, "&#39;", "'")
	s = strings.ReplaceAll(s, "&#34;", `"`)
	words := strings.Split(s, " ")
	for i, word := range words {
		words[i] = mdWord(word, i == 0)
	}
	// A word by itself that GitHub would turn into the name of somebody.
	return mdMention.ReplaceAllString(strings.Join(words, " "), "<span>@</span>$1")
}

// mdWord escapes what could mean something in a word.
func mdWord(s string, first bool) string {
	if veryPlain.MatchString(s) || plainWord.MatchString(s) && !first {
		return s
	}
	s = mdSpecial.ReplaceAllString(s, `\$0`)
	// GitHub makes links of such words, and lists of a number with a dot before a text.
	if strings.HasPrefix(s, "www.") || first {
		return strings.Replace(s, ".", `\.`, 1)
	}
	return s
}

// What means nothing: words of letters and digits, of which some marks lie between two;
// and behind the first word of a text numbers with a sign, and words with a colon.
var (
	veryPlain = regexp.MustCompile(`^(?:[A-Za-z][A-Za-z0-9]*(?:[,/-][A-Za-z0-9]+)*[%;,.]?|[+-]?[0-9]+(?:,[0-9]+)*(?:\.[0-9]+)?[%;,]?)$`)
	plainWord = regexp.MustCompile(`^\(?[+-]?[A-Za-z0-9]+(?:[,/-][A-Za-z0-9]+|\.[0-9]+)*[%;:,.)]?$`)
)

// fenceFor is a fence of backticks that no run of them in the text closes.
func fenceFor(s string) string {
	longest := 2
	for run := range strings.FieldsFuncSeq(s, func(r rune) bool { return r != '`' }) {
		longest = max(longest, len(run))
	}
	return strings.Repeat("`", longest+1)
}

// SummaryLimit is how many bytes of all summaries of a step GitHub takes; what is larger
// is dropped whole, with an error in the log.
const SummaryLimit = 1 << 20

// Summary returns the Markdown of the document within room bytes. Where it is longer,
// what does not fit is left out, and the reader is told; where nothing fits it is empty.
func (d Document) Summary(room int) (string, error) {
	var b strings.Builder
	if err := d.Markdown(&b); err != nil {
		return "", err
	}
	if b.Len() <= room {
		return b.String(), nil
	}
	var head strings.Builder
	out := &writer{w: &head}
	d.markdownHead(out)
	out.printf("The rest is too long for this page; the whole is in the files of the run.\n")
	if list := notWell(d.outcomes()); len(list) > 0 {
		out.printf("\n")
		for i, f := range list {
			line := fmt.Sprintf("- **%s** %s: %s\n", mdText(f.state), mdText(shorten(clean(f.name()), maxText)), mdText(shorten(clean(f.text), maxText)))
			if more := fmt.Sprintf("- and %d more\n", len(list)-i); head.Len()+len(line)+len(more) > room {
				out.printf("%s", more)
				break
			}
			out.printf("%s", line)
		}
	}
	if head.Len() > room {
		return "", out.err
	}
	return head.String(), out.err
}
