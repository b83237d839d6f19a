package suite

import (
	"path/filepath"
	"slices"
	"strings"
)

// Relocate returns the suite of the same project in another folder: a checkout of
// another ref. Folders of commands, arguments and environments that lie in from lie in
// to; a command without a folder, which runs where the runner is, runs in to.
func (s Suite) Relocate(from, to string) Suite {
	move := func(text string) string { return relocated(text, filepath.Clean(from), to) }
	s.Dir = move(s.Dir)
	if s.Dir == "" {
		s.Dir = to
	}
	s.Workloads = slices.Clone(s.Workloads)
	for i := range s.Workloads {
		w := &s.Workloads[i]
		w.Command = w.Command.relocate(move, to)
		for _, list := range []*[]Command{&w.Setup, &w.Prepare, &w.Conclude, &w.Cleanup} {
			out := make([]Command, len(*list))
			for j, c := range *list {
				out[j] = c.relocate(move, to)
			}
			*list = out
		}
		w.CleanEnv, w.Creates = moveAll(w.CleanEnv, move), moveAll(w.Creates, move)
	}
	return s
}

func (c Command) relocate(move func(string) string, to string) Command {
	out := Command{moveAll(c.Args, move), move(c.Dir), moveAll(c.Env, move)}
	if c.Dir == "" {
		out.Dir = to
	}
	return out
}

func moveAll(list []string, move func(string) string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = move(s)
	}
	return out
}

// relocated replaces the path from in text, where it stands by itself or with more of a
// path behind it: a folder beside it with a longer name is another one.
func relocated(text, from, to string) string {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(text, from)
		b.WriteString(before)
		if !found {
			return b.String()
		}
		starts := before == "" || !isPathByte(before[len(before)-1])
		ends := after == "" || !isPathByte(after[0]) || after[0] == '/' || after[0] == filepath.Separator
		if starts && ends {
			b.WriteString(to)
		} else {
			b.WriteString(from)
		}
		text = after
	}
}

// isPathByte reports whether c may go on with a path.
func isPathByte(c byte) bool { return isNameByte(c) || c >= 0x80 || strings.IndexByte("/-.+~", c) >= 0 }
