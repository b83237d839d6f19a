package perfdata

// Numbers of DWARF 5, section 7, and of GNU's extensions, as far as they are used here.
const (
	tagLexicalBlock   = 0x0b
	tagCompileUnit    = 0x11
	tagInlined        = 0x1d
	tagWithStatement  = 0x22
	tagCatchBlock     = 0x25
	tagSubprogram     = 0x2e
	tagTryBlock       = 0x32
	tagPartialUnit    = 0x3c
	tagNamespace      = 0x39
	tagSkeletonUnit   = 0x4a
	tagModule         = 0x1e
	attrSibling       = 0x01
	attrName          = 0x03
	attrStmtList      = 0x10
	attrLowPC         = 0x11
	attrHighPC        = 0x12
	attrCompDir       = 0x1b
	attrAbstractOri   = 0x31
	attrDeclLine      = 0x3b
	attrSpecification = 0x47
	attrRanges        = 0x55
	attrCallFile      = 0x58
	attrCallLine      = 0x59
	attrLinkageName   = 0x6e
	attrStrOffsets    = 0x72
	attrAddrBase      = 0x73
	attrRnglistsBase  = 0x74
	attrDwoName       = 0x76
	attrMIPSLinkage   = 0x2007
	attrGNUDwoName    = 0x2130
	attrGNURangesBase = 0x2132
	attrGNUAddrBase   = 0x2133
)

// The forms of attributes (DWARF 5, section 7.5.6).
const (
	formAddr          = 0x01
	formBlock2        = 0x03
	formBlock4        = 0x04
	formData2         = 0x05
	formData4         = 0x06
	formData8         = 0x07
	formString        = 0x08
	formBlock         = 0x09
	formBlock1        = 0x0a
	formData1         = 0x0b
	formFlag          = 0x0c
	formSdata         = 0x0d
	formStrp          = 0x0e
	formUdata         = 0x0f
	formRefAddr       = 0x10
	formRef1          = 0x11
	formRef2          = 0x12
	formRef4          = 0x13
	formRef8          = 0x14
	formRefUdata      = 0x15
	formIndirect      = 0x16
	formSecOffset     = 0x17
	formExprloc       = 0x18
	formFlagPresent   = 0x19
	formStrx          = 0x1a
	formAddrx         = 0x1b
	formRefSup4       = 0x1c
	formStrpSup       = 0x1d
	formData16        = 0x1e
	formLineStrp      = 0x1f
	formRefSig8       = 0x20
	formImplicitConst = 0x21
	formLoclistx      = 0x22
	formRnglistx      = 0x23
	formRefSup8       = 0x24
	formStrx1         = 0x25
	formStrx2         = 0x26
	formStrx3         = 0x27
	formStrx4         = 0x28
	formAddrx1        = 0x29
	formAddrx2        = 0x2a
	formAddrx3        = 0x2b
	formAddrx4        = 0x2c
	formGNUAddrIndex  = 0x1f01
	formGNUStrIndex   = 0x1f02
	formGNURefAlt     = 0x1f20
	formGNUStrpAlt    = 0x1f21
)

// A dwarfFormat is what the sizes of some forms depend on.
type dwarfFormat struct {
	version, addressSize, offsetSize uint8
}

// size is how many bytes a form takes; -1 where they have to be read to know.
func (f dwarfFormat) size(form uint16) int {
	switch form {
	case formFlagPresent, formImplicitConst:
		return 0
	case formData1, formFlag, formRef1, formStrx1, formAddrx1:
		return 1
	case formData2, formRef2, formStrx2, formAddrx2:
		return 2
	case formStrx3, formAddrx3:
		return 3
	case formData4, formRef4, formStrx4, formAddrx4, formRefSup4:
		return 4
	case formData8, formRef8, formRefSig8, formRefSup8:
		return 8
	case formData16:
		return 16
	case formAddr:
		return int(f.addressSize)
	case formRefAddr:
		if f.version <= 2 {
			return int(f.addressSize)
		}
		return int(f.offsetSize)
	case formStrp, formSecOffset, formStrpSup, formLineStrp, formGNURefAlt, formGNUStrpAlt:
		return int(f.offsetSize)
	}
	return -1
}

// skip goes over a value of a form that has no fixed size, and reports whether it knows it.
func (f dwarfFormat) skip(b *dwarfBuffer, form uint16) bool {
	switch form {
	case formBlock1:
		b.skip(uint64(b.u8()))
	case formBlock2:
		b.skip(b.uint(2))
	case formBlock4:
		b.skip(b.uint(4))
	case formBlock, formExprloc:
		b.skip(b.uleb())
	case formString:
		b.skipString()
	case formSdata, formUdata, formRefUdata, formStrx, formAddrx, formLoclistx, formRnglistx, formGNUAddrIndex, formGNUStrIndex:
		b.uleb()
	case formIndirect:
		inner := b.uleb()
		if inner == formIndirect || inner == formImplicitConst || inner > 0xffff {
			return false
		}
		if n := f.size(uint16(inner)); n >= 0 {
			b.skip(uint64(n))
			return true
		}
		return f.skip(b, uint16(inner))
	default:
		return false
	}
	return true
}

// A dwarfValue is an attribute as it stands in the file: what its number means depends on
// the form, and often on more of the unit. Form 0: the attribute is not there.
type dwarfValue struct {
	form uint16
	n    uint64 // for a string that stands in the entry: its offset in the section
}

// value reads a value of which the number counts: not of blocks, which are gone over.
// begin is the offset of the buffer in its section.
func (f dwarfFormat) value(b *dwarfBuffer, form uint16, implicit int64, begin uint64) (dwarfValue, bool) {
	if form == formIndirect {
		inner := b.uleb()
		if inner == formIndirect || inner == formImplicitConst || inner > 0xffff {
			return dwarfValue{}, false
		}
		form = uint16(inner)
	}
	v := dwarfValue{form: form}
	switch form {
	case formFlagPresent:
		v.n = 1
	case formImplicitConst:
		v.n = uint64(implicit)
	case formString:
		v.n = begin + uint64(b.pos)
		b.skipString()
	case formSdata:
		v.n = uint64(b.sleb())
	case formUdata, formRefUdata, formStrx, formAddrx, formLoclistx, formRnglistx, formGNUAddrIndex, formGNUStrIndex:
		v.n = b.uleb()
	case formData16:
		b.skip(16)
	default:
		n := f.size(form)
		if n < 0 {
			return v, f.skip(b, form)
		}
		v.n = b.uint(n)
	}
	return v, true
}
