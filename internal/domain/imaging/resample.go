package imaging

import (
	"encoding/binary"
	"image"
	"math"
)

// resize scales a picture down and turns it upright.
func (p *planes) resize(size image.Point, turn orientation) *planes {
	result := newPlanes(size, len(p.planes) == 1)
	for i := range p.planes {
		p.planes[i].resize(&result.planes[i], turn)
	}
	return result
}

// resize scales p into to, which covers the same picture. It scales along the columns first, and
// transposes. Then it scales the transposed result along its columns.
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

// one is the sum of a kernel's weights. The sum of samples times weights stays below 1<<24.
const (
	bits = 14
	one  = 1 << bits
)

// A kernel holds the weights by which each new sample of a line is computed from the old ones.
type kernel struct {
	taps    int     // old samples per new sample
	first   []int   // index of the first old sample, by new sample
	weights []int32 // taps weights per new sample
}

// newKernel returns a Lanczos kernel with three lobes, widened to cover all samples that a new one
// represents, as in libvips. The picture covers span of the have old samples, and wantSpan of the
// want new ones.
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
		centre -= 0.5 // a sample's position is its middle
		first := int(math.Ceil(centre - lobes*widen))
		start := min(max(first, 0), have-k.taps)
		clear(exact)
		var sum float64
		for j := first; j <= int(math.Floor(centre+lobes*widen)); j++ {
			w := lanczos((float64(j)-centre)/widen, lobes)
			inside := min(max(j, start), start+k.taps-1) // samples at the edge repeat beyond it
			exact[inside-start] += w
			sum += w
		}
		k.first[i] = start
		weights := k.weights[i*k.taps:][:k.taps]
		// The rounding error of a weight is added to the next one, so that the sum of all weights
		// is one and plain areas keep their colour.
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

// apply scales along columns. With transpose, rows of the result are columns of to.
//
// Two samples share a machine word, so one multiplication computes both: (a + b<<32) * weight. A
// bias makes both final sums positive, so that neither borrows from the other; intermediate sums
// may borrow.
func (k *kernel) apply(from plane, to *plane, transpose bool) {
	const low = 0x000000ff_000000ff
	const bias = offset<<bits + one/2
	const biases = uint64(bias | bias<<32)
	step, next := 1, to.stride // distance to the next sample, and to the next row
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

// offset keeps sums positive: negative weights subtract less than a third of it.
const offset = 256

// clamped returns the samples of the lower and the upper sum.
func clamped(sums uint64) (uint8, uint8) {
	return clamp[sums>>bits&(4*offset-1)], clamp[sums>>(32+bits)&(4*offset-1)]
}

// clamp subtracts the offset and clamps the result to a sample's range.
var clamp = func() (table [4 * offset]uint8) {
	for i := range table {
		table[i] = uint8(min(max(i-offset, 0), 255))
	}
	return table
}()
