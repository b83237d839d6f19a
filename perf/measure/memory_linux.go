package measure

import "context"

func (r *runner) runMemory(ctx context.Context, c Command, path string) (Memory, error) {
	return Memory{}, nil
}
