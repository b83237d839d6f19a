//go:build !linux

package measure

// A contention is what is known of how busy others kept the CPUs: nothing here.
type contention struct{}

func readContention() contention { return contention{} }

func (contention) until(contention, *Run) {}
