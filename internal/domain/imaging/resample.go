package imaging

import (
	"encoding/binary"
	"image"
	"math"
)

// resize scales a picture down, and turns it the right way up.
func (p *planes) resize(size image.Point, turn orientation) *planes {
	result := newPlanes(size, len(p.planes) == 1)
	for i := range p.planes {
		p.planes[i].resize(&result.planes[i], turn)
	}
	return result
}

// resize fills to, which covers the same picture. It is scaled along its columns first, and what that gives, of which
// the rows are columns now, along those.
func (p plane) resize(to *plane, turn orientation) {
	width, height, spanX, spanY := to.width, to.height, to.spanX, to.spanY
	if turn.transposes() {
		width, height, spanX, spanY = height, width, spanY, spanX
	}
	columns := newKernel(p.height, p.spanY, height, spanY, turn.mirrorsY())
	rows := newKernel(p.width, p.spanX, width, spanX, turn.mirrorsX())
	between := newPlane(height, p.width)
	columns.apply(p, &between, true)
	rows.apply(between, to, !turn.transposes())
}

// one is the sum of a kernel's weights. A sample times a weight, added up, stays below 1<<24.
const (
	bits = 14
	one  = 1 << bits
)

// A kernel says of which samples each of a line's new samples is made.
type kernel struct {
	taps    int // how many samples make one
	first   []int
	weights []int32 // taps of them for each new sample
}

// newKernel is Lanczos' with three lobes, widened so that it takes each of the samples that a new one stands for, as
// libvips does. have samples cover the picture along span of them, want samples along wantSpan.
func newKernel(have int, span float64, want int, wantSpan float64, mirrored bool) *kernel {
	const lobes = 3
	scale := span / wantSpan
	widen := max(scale, 1)
	k := &kernel{taps: min(have, 2*int(math.Ceil(lobes*widen))+1), first: make([]int, want)}
	k.weights = make([]int32, want*k.taps)
	exact := make([]float64, k.taps)
	for i := range want {
		centre := (float64(i) + 0.5) * scale
		if mirrored {
			centre = span - centre
		}
		centre -= 0.5 // samples are where their middles are
		first := int(math.Ceil(centre - lobes*widen))
		start := min(max(first, 0), have-k.taps)
		clear(exact)
		var sum float64
		for j := first; j <= int(math.Floor(centre+lobes*widen)); j++ {
			w := lanczos((float64(j)-centre)/widen, lobes)
			inside := min(max(j, start), start+k.taps-1) // beyond the edge is what is at the edge
			exact[inside-start] += w
			sum += w
		}
		k.first[i] = start
		weights := k.weights[i*k.taps:][:k.taps]
		// What rounding takes from a weight goes to the next: together they are one, or plain areas would change.
		var due float64
		var given int32
		for j, w := range exact {
			due += w / sum * one
			weights[j] = int32(math.Round(due)) - given
			given += weights[j]
		}
	}
	return k
}

func lanczos(x, lobes float64) float64 {
	switch {
	case x == 0:
		return 1
	case math.Abs(x) >= lobes:
		return 0
	}
	x *= math.Pi
	return lobes * math.Sin(x) * math.Sin(x/lobes) / (x * x)
}

// apply scales along columns. If it transposes, rows of the result are columns of to.
//
// Two samples share a machine word, so that one multiplication does for both: (a + b<<32) * weight. The sums of both
// are made positive by a bias, so that neither borrows from the other in the end; between, they may.
func (k *kernel) apply(from plane, to *plane, transpose bool) {
	const low = 0x000000ff_000000ff
	const bias = offset<<bits + one/2
	const biases = uint64(bias | bias<<32)
	step, next := 1, to.stride // from a sample to the next, and from a row to the next
	if transpose {
		step, next = to.stride, 1
	}
	for i, first := range k.first {
		weights := k.weights[i*k.taps:][:k.taps]
		out := to.samples[i*next:]
		x := 0
		for ; x+8 <= from.width; x += 8 {
			a, b, c, d := biases, biases, biases, biases
			at := first*from.stride + x
			for _, weight := range weights {
				w := uint64(int64(weight))
				v := binary.LittleEndian.Uint64(from.samples[at:])
				at += from.stride
				a += (v & low) * w
				b += (v >> 8 & low) * w
				c += (v >> 16 & low) * w
				d += (v >> 24 & low) * w
			}
			o := out[x*step:]
			o[0], o[4*step] = clamped(a)
			o[step], o[5*step] = clamped(b)
			o[2*step], o[6*step] = clamped(c)
			o[3*step], o[7*step] = clamped(d)
		}
		for ; x < from.width; x++ {
			sum := biases
			for j, weight := range weights {
				sum += uint64(from.samples[(first+j)*from.stride+x]) * uint64(int64(weight))
			}
			out[x*step], _ = clamped(sum)
		}
	}
}

// offset is what keeps sums positive: what negative weights take away is less than a third of it.
const offset = 256

// clamped returns the samples of the lower and of the upper sum.
func clamped(sums uint64) (uint8, uint8) {
	return clamp[sums>>bits&(4*offset-1)], clamp[sums>>(32+bits)&(4*offset-1)]
}

// clamp takes the offset away, and what overshoots.
var clamp = func() (table [4 * offset]uint8) {
	for i := range table {
		table[i] = uint8(min(max(i-offset, 0), 255))
	}
	return table
}()
