package perfdata

import (
	"bytes"
	"encoding/binary"
	"math"
	"strings"
	"testing"
)

// expressionFrame is a frame with numbers in its registers, and a stack of sixteen bytes.
func expressionFrame() (*frame, memory) {
	f := &frame{known: allRegisters &^ (1 << 10)}
	for i := range f.regs {
		f.regs[i] = uint64(i) * 0x1000
	}
	stack := binary.LittleEndian.AppendUint64(nil, 0x1122334455667788)
	return f, memory{base: 0x7000, data: binary.LittleEndian.AppendUint64(stack, 0x9000)}
}

func evaluateBytes(code string, push ...uint64) (uint64, error) {
	f, stack := expressionFrame()
	return evaluate(append([]byte{byte(len(code))}, code...), 0, f, stack, push...)
}

func TestEachOperation(t *testing.T) {
	negative := func(n int64) uint64 { return uint64(-n) }
	for _, test := range []struct {
		name string
		code string
		want uint64
	}{
		{"lit0", "\x30", 0},
		{"lit31", "\x4f", 31},
		{"breg0", "\x70\x05", 5},
		{"breg16", "\x80\x7f", 0xffff},
		{"bregx", "\x92\x0c\x81\x7f", 0xc000 - 127},
		{"const1u", "\x08\xff", 255},
		{"const1s", "\x09\xff", negative(1)},
		{"const2u", "\x0a\xfe\xff", 0xfffe},
		{"const2s", "\x0b\xfe\xff", negative(2)},
		{"const4u", "\x0c\xfe\xff\xff\xff", 0xfffffffe},
		{"const4s", "\x0d\xfe\xff\xff\xff", negative(2)},
		{"const8u", "\x0e\x01\x00\x00\x00\x00\x00\x00\x80", 1<<63 + 1},
		{"const8s", "\x0f\xfe\xff\xff\xff\xff\xff\xff\xff", negative(2)},
		{"constu", "\x10\xe5\x8e\x26", 624485},
		{"consts", "\x11\x9b\xf1\x59", negative(624485)},
		{"deref", "\x77\x00\x06", 0x1122334455667788},
		{"deref_size 1", "\x77\x01\x94\x01", 0x77},
		{"deref_size 4", "\x77\x02\x94\x04", 0x33445566},
		{"deref_size 8", "\x77\x08\x94\x08", 0x9000},
		{"dup", "\x33\x12\x22", 6},
		{"drop", "\x33\x34\x13", 3},
		{"over", "\x33\x34\x14\x1c", 1},
		{"pick", "\x33\x34\x35\x15\x02", 3},
		{"swap", "\x33\x34\x16\x1c", 1},
		{"rot", "\x31\x32\x33\x17\x1c", negative(1)}, // 3 1 2: the topmost has become the third
		{"rot, the third", "\x31\x32\x33\x17\x13\x13", 3},
		{"abs", "\x09\xfb\x19", 5},
		{"abs of a positive", "\x35\x19", 5},
		{"and", "\x3c\x3a\x1a", 8},
		{"div", "\x09\xf9\x32\x1b", negative(3)}, // signed
		{"minus", "\x33\x35\x1c", negative(2)},
		{"mod", "\x09\xff\x3a\x1d", math.MaxUint64 % 10}, // unsigned
		{"mul", "\x09\xff\x33\x1e", negative(3)},
		{"neg", "\x33\x1f", negative(3)},
		{"not", "\x30\x20", math.MaxUint64},
		{"or", "\x3c\x33\x21", 15},
		{"plus", "\x3c\x33\x22", 15},
		{"plus_uconst", "\x33\x23\x80\x01", 131},
		{"shl", "\x33\x34\x24", 48},
		{"shl of all", "\x33\x08\x40\x24", 0},
		{"shr", "\x09\xff\x08\x3c\x25", 15},
		{"shra", "\x09\xf0\x32\x26", negative(4)},
		{"shra of all", "\x09\xf0\x08\xff\x26", negative(1)},
		{"xor", "\x3c\x3a\x27", 6},
		{"bra taken", "\x35\x31\x28\x01\x00\x33\x36\x22", 11},    // 5 + 6
		{"bra not taken", "\x35\x30\x28\x01\x00\x33\x36\x22", 9}, // 3 + 6
		{"skip", "\x35\x2f\x01\x00\x33", 5},
		{"skip to the end", "\x35\x2f\x00\x00", 5},
		{"bra back", "\x35\x31\x1c\x12\x28\xfa\xff\x23\x09", 9}, // counts down to zero
		{"eq", "\x33\x33\x29", 1},
		{"ge", "\x09\xff\x30\x2a", 0}, // signed
		{"gt", "\x33\x32\x2b", 1},
		{"le", "\x33\x33\x2c", 1},
		{"lt", "\x09\xff\x30\x2d", 1},
		{"ne", "\x33\x33\x2e", 0},
		{"nop", "\x33\x96", 3},
		{"a linker's stub, early", "\x77\x08\x80\x00\x3f\x1a\x3b\x2a\x33\x24\x22", 0x7008},
	} {
		if got, err := evaluateBytes(test.code); err != nil || got != test.want {
			t.Errorf("%s: %#x, %v; want %#x", test.name, got, err, test.want)
		}
	}
	if got, err := evaluateBytes("\x23\x10", 0x500); err != nil || got != 0x510 {
		t.Errorf("on the frame's address: %#x, %v", got, err)
	}
}

// TestStubExpression: the call stubs of a linker push a word at their eleventh byte.
func TestStubExpression(t *testing.T) {
	f, stack := expressionFrame()
	code := []byte("\x0b\x77\x08\x80\x00\x3f\x1a\x3b\x2a\x33\x24\x22")
	for ip := range uint64(32) {
		f.regs[regRIP] = 0x401020 + ip
		want := uint64(0x7008)
		if ip&15 >= 11 {
			want += 8
		}
		if got, err := evaluate(code, 0, f, stack); got != want || err != nil {
			t.Errorf("at %#x: %#x, %v; want %#x", f.regs[regRIP], got, err, want)
		}
	}
}

func TestBrokenExpressions(t *testing.T) {
	for _, test := range []struct{ name, code, want string }{
		{"empty", "", "empty stack"},
		{"unknown", "\x35\x9c", "operation 0x9c at offset 0x2 is not known"},
		{"a register's number", "\x57", "is not known"},
		{"addr", "\x03\x00\x00\x00\x00\x00\x00\x00\x00", "address of the file"},
		{"cut off", "\x0a\xff", "operation 0x0a at offset 0x1 is cut off"},
		{"drop of nothing", "\x13", "empty stack"},
		{"plus of one", "\x33\x22", "empty stack"},
		{"pick too deep", "\x33\x15\x01", "value 1 of a stack of 1"},
		{"division by zero", "\x33\x30\x1b", "divides by zero"},
		{"remainder by zero", "\x33\x30\x1d", "divides by zero"},
		{"deref outside", "\x77\x10\x06", "reads memory that the sample does not carry"},
		{"deref_size 0", "\x77\x00\x94\x00", "reads 0 bytes"},
		{"deref_size 9", "\x77\x00\x94\x09", "reads 9 bytes"},
		{"register that is lost", "\x7a\x00", "register 10, whose value is not known"},
		{"register that no sample has", "\x92\x11\x00", "register 17"},
		{"jump out", "\x33\x2f\x7f\x00", "jumps out"},
		{"jump out backwards", "\x33\x2f\xf0\xff", "jumps out"},
		{"endless", "\x33\x2f\xfd\xff", "more than 512 steps"},
		{"too many values", strings.Repeat("\x33", maxExpressionStack+1), "more than 64 values"},
	} {
		if got, err := evaluateBytes(test.code); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %#x, error %v, want %q in it", test.name, got, err, test.want)
		}
	}
	f, stack := expressionFrame()
	if _, err := evaluate([]byte{5, 0x30}, 0, f, stack); err == nil {
		t.Error("an expression that is longer than the section was evaluated")
	}
	if _, err := evaluate([]byte{5, 0x30}, math.MaxUint32, f, stack); err == nil {
		t.Error("an expression outside of the section was evaluated")
	}
}

func FuzzExpression(f *testing.F) {
	f.Add([]byte("\x77\x08\x80\x00\x3f\x1a\x3b\x2a\x33\x24\x22"))
	f.Add([]byte("\x35\x31\x1c\x12\x28\xfa\xff\x23\x09"))
	f.Add(bytes.Repeat([]byte("\x12"), 100))
	f.Fuzz(func(_ *testing.T, code []byte) {
		frame, stack := expressionFrame()
		data := append(binary.AppendUvarint(nil, uint64(len(code))), code...)
		evaluate(data, 0, frame, stack, 1) // ends, and does not panic
	})
}
