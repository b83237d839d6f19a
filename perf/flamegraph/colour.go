package flamegraph

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"strings"

	"github.com/seanchatmangpt/clnrm-perf/perf/calltree"
)

// Colours are classes of the style sheet: h0 to h15 by name, k0 and on by class, s0 to s9
// by own share, u0 to u4 and d0 to d4 for what has grown and shrunk, z for what has not
// changed, r for the root, m for what a search has found.
const (
	userColours   = 12 // warm ones
	kernelColours = 4  // cool ones, behind the others
	shareColours  = 10
	diffColours   = 5
)

// nameColour is the number of a name's colour: the same in every picture, on every
// machine.
func nameColour(f calltree.Frame) byte {
	h := uint32(2166136261) // FNV-1a, in place: it runs for every frame
	for i := range len(f.Name) {
		h = (h ^ uint32(f.Name[i])) * 16777619
	}
	h ^= h >> 15 // its low bits alone would depend on the low bits of the name's
	if f.Kernel {
		return byte(userColours + h%kernelColours)
	}
	return byte(h % userColours)
}

// shade is the class of a node in the static picture; the viewer's function of that name
// agrees with it.
func (p *picture) shade(n *node, peak float64) string {
	if n.frame < 0 {
		return "r"
	}
	switch {
	case p.diff:
		return diffShade(p.delta(n), peak)
	case p.opt.Colour == ByClass:
		return fmt.Sprint("k", p.class(n))
	case p.opt.Colour == ByShare:
		own := n.new.Flat
		if p.opt.Inverted {
			own = 0
			if n.depth == 1 {
				own = n.new.Cum
			}
		}
		// By the square root: most frames have little of their own, and would look alike.
		return fmt.Sprint("s", min(shareColours-1, int(shareColours*math.Sqrt(float64(own)/max(peak, 1)))))
	}
	return fmt.Sprint("h", p.hashes[n.frame])
}

// class is the number of a node's class. Where callers are drawn, a place stands for many
// stacks, and it is that of the frame.
func (p *picture) class(n *node) uint16 {
	if p.opt.Inverted {
		return p.opt.Classes.ByFrame[n.frame]
	}
	return p.opt.Classes.ByNode[n.id]
}

func diffShade(delta, peak float64) string {
	size := 0.0
	if peak > 0 {
		size = math.Abs(delta) / peak
	}
	sign := "d"
	switch {
	case size < 1e-9:
		return "z"
	case delta > 0:
		sign = "u"
	}
	return fmt.Sprint(sign, min(diffColours-1, int(diffColours*math.Sqrt(size))))
}

// peak is what the strongest colour stands for: the greatest weight of its own, or the
// greatest change.
func (p *picture) peak() float64 {
	most := 0.0
	for i := range p.nodes {
		n := &p.nodes[i]
		if p.diff {
			most = max(most, math.Abs(p.delta(n)))
		} else if i > 0 {
			most = max(most, float64(n.new.Flat))
		}
	}
	return most
}

// css is the style sheet without the colours of classes. Both modes are written out,
// since renderers without a script often know no variables either.
var css = func() string {
	var light, dark strings.Builder
	rule := func(class string, hue, saturation, lightness, darkness float64) {
		fmt.Fprintf(&light, ".%s rect,path.%s{fill:%s}", class, class, hsl(hue, saturation, lightness))
		fmt.Fprintf(&dark, ".%s rect,path.%s{fill:%s}", class, class, hsl(hue, saturation*0.75, darkness))
	}
	for i := range userColours {
		step := float64(i)
		rule(fmt.Sprint("h", i), 6+step*4.2, 0.8, 0.69+0.04*float64(i%3), 0.24+0.02*float64(i%3))
	}
	for i := range kernelColours {
		rule(fmt.Sprint("h", userColours+i), 205+float64(i)*16, 0.55, 0.76, 0.33)
	}
	for i := range shareColours {
		step := float64(i) / (shareColours - 1)
		rule(fmt.Sprint("s", i), 48-44*step, 0.35+0.5*step, 0.91-0.27*step, 0.22+0.18*step)
	}
	for i := range diffColours {
		step := float64(i) / (diffColours - 1)
		rule(fmt.Sprint("u", i), 6, 0.75, 0.92-0.26*step, 0.24+0.16*step)
		rule(fmt.Sprint("d", i), 216, 0.75, 0.92-0.24*step, 0.24+0.18*step)
	}
	rule("z", 0, 0, 0.91, 0.24)
	rule("r", 220, 0.08, 0.86, 0.29)
	rule("m", 285, 0.8, 0.76, 0.36)
	return lightText + light.String() + "@media(prefers-color-scheme:dark){" + darkText + dark.String() + "}"
}()

const lightText = `.fg{background:#fff;color-scheme:light dark;font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}` +
	`.fg text{fill:#1c1c1e;white-space:pre}.fg .f text,.fg .l text{pointer-events:none}.fg .ti{font:600 17px system-ui,sans-serif}` +
	`.fg .su{font:12px system-ui,sans-serif;fill:#5d6066}` +
	`.fg .bg{fill:#fff}.fg .f{cursor:pointer;outline:none}.fg .f:hover rect{stroke:#1c1c1e;stroke-width:1}` +
	`.fg .f:focus-visible rect{stroke:#0a5bd3;stroke-width:2.5}.fg .o rect{opacity:.5}.fg .n rect{opacity:.4}` +
	`.fg .bar{display:flex;gap:6px;align-items:center;white-space:nowrap;overflow:hidden;padding:2px;font:12px system-ui,sans-serif;color:#1c1c1e}` +
	`.fg input,.fg button{font:12px system-ui,sans-serif;color:inherit;background:#f3f3f5;border:1px solid #c9cacf;border-radius:5px;padding:3px 8px;height:24px;box-sizing:border-box}` +
	`.fg input{flex:0 1 270px;min-width:90px}.fg button{cursor:pointer}.fg button:disabled{opacity:.45;cursor:default}` +
	`.fg button[aria-pressed=true]{background:#d5e4fb;border-color:#7fa9e8}` +
	`.fg input:focus-visible,.fg button:focus-visible{outline:2px solid #0a5bd3;outline-offset:-1px}` +
	`.fg .status{overflow:hidden;text-overflow:ellipsis;color:#44474d}` +
	`.fg .keys{display:flex;gap:14px;height:18px;overflow:hidden;white-space:nowrap;padding:0 2px;font:11px/18px system-ui,sans-serif;color:#44474d}` +
	`.fg .e{display:inline-flex;gap:5px;align-items:center}` +
	`.fg .tip{pointer-events:none}.fg .tip>div{font:12px/1.45 system-ui,sans-serif;color:#1c1c1e;background:#fffffff5;border:1px solid #b9bbc1;border-radius:6px;padding:6px 9px;overflow-wrap:anywhere;box-sizing:border-box}` +
	`.fg .b{font-weight:600;font-family:ui-monospace,Menlo,Consolas,monospace;max-height:9em;overflow:hidden}`

const darkText = `.fg{background:#17181a}.fg .bg{fill:#17181a}.fg text{fill:#ececee}.fg .su{fill:#a3a6ad}.fg .f:hover rect{stroke:#fff}` +
	`.fg .f:focus-visible rect{stroke:#7db4ff}.fg .bar,.fg .tip>div{color:#ececee}.fg .status,.fg .keys{color:#b4b7be}` +
	`.fg input,.fg button{background:#2a2b2f;border-color:#4b4d54}.fg button[aria-pressed=true]{background:#1f3f6e;border-color:#4f7fc4}` +
	`.fg input:focus-visible,.fg button:focus-visible{outline-color:#7db4ff}.fg .tip>div{background:#26272bf5;border-color:#55575e}`

// groupHues are the colours of the groups that the default rules know, so that a group
// looks the same in every picture. Others get one by a hash.
var groupHues = map[string]float64{
	"Docker operations": 208, "Serialisation": 275, "Async runtime": 172, "Locking": 352, "Allocation": 26, "System calls": 105,
}

// classCSS writes the rules for the classes: a hue for a group, a lightness for what is
// in it.
func (p *picture) classCSS(b *bytes.Buffer) {
	if p.opt.Classes == nil {
		return
	}
	var light, dark strings.Builder
	inGroup := map[string]int{}
	for i, c := range p.opt.Classes.Classes {
		hue, known := groupHues[c.Group]
		saturation := 0.62
		if c == calltree.Compute {
			hue, saturation, known = 48, 0.7, true
		}
		if !known {
			h := fnv.New32a()
			h.Write([]byte(c.Group))
			hue = float64(h.Sum32() % 360)
		}
		if c == p.opt.Classes.Idle.Class {
			saturation = 0.04 // what nobody needs to look at
		}
		nth := float64(inGroup[c.Group] % 4)
		inGroup[c.Group]++
		fmt.Fprintf(&light, ".k%d rect,path.k%d{fill:%s}", i, i, hsl(hue+nth*11, saturation, 0.68+0.06*nth))
		fmt.Fprintf(&dark, ".k%d rect,path.k%d{fill:%s}", i, i, hsl(hue+nth*11, saturation*0.75, 0.25+0.02*nth))
	}
	fmt.Fprintf(b, "%s@media(prefers-color-scheme:dark){%s}", light.String(), dark.String())
}

// classShares returns the exclusive share of each class, by its number, of the whole
// picture: what is idle is in it.
func classShares(c *calltree.Classification) []float64 {
	out := make([]float64, len(c.Classes))
	for i, class := range c.Classes {
		if at := slices.IndexFunc(c.Shares, func(s calltree.ClassShare) bool { return s.Class == class }); at >= 0 {
			out[i] = c.Shares[at].Share * (1 - c.Idle.Share)
		}
		if c.Idle.Weight > 0 && class == c.Idle.Class {
			out[i] = c.Idle.Share
		}
	}
	return out
}

// hsl turns hue (degrees), saturation and lightness (0 to 1) into #rrggbb, by the formula
// of CSS Color 4: SVG renderers that are no browsers know no hsl().
func hsl(hue, saturation, lightness float64) string {
	chroma := saturation * min(lightness, 1-lightness)
	channel := func(n float64) int {
		k := math.Mod(n+hue/30, 12)
		return int(math.Round(255 * (lightness - chroma*max(-1, min(k-3, 9-k, 1)))))
	}
	return fmt.Sprintf("#%02x%02x%02x", channel(0), channel(8), channel(4))
}
