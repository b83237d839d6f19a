package measure

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// environ is the environment of the command. PWD follows Dir, as a shell
// would have it, unless the caller composed the environment.
func (c Command) environ() []string {
	if c.Env != nil {
		return c.Env
	}
	env := os.Environ()
	if c.Dir == "" {
		return env
	}
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return env
	}
	env = slices.DeleteFunc(env, func(kv string) bool { return strings.HasPrefix(kv, "PWD=") })
	return append(env, "PWD="+dir)
}
