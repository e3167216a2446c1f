package imaging

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"io"
	"math"
)

// A profile is an ICC profile that consists of a matrix and three curves, as written by cameras and
// phones (Display P3, Adobe RGB). Profiles with tables, as printers have, are not supported:
// pictures with such a profile are treated as if they had none.
type profile struct {
	linear [3][256]int32 // linear value by colour and encoded value, from 0 to unit
	matrix [3][3]int32   // from linear values to linear sRGB, in units of 1<<matrixBits
}

const (
	unit       = 1<<14 - 1
	matrixBits = 12

	// maxProfileBytes is far more than a matrix and curves need. Longer profiles are ignored: their
	// tags alone could fill the memory, and compressed data can expand to any length.
	maxProfileBytes = 1 << 20
)

// fromXYZ converts XYZ of the profile connection space, whose white point is D50, to linear sRGB.
// It is the inverse of the primaries of IEC 61966-2-1, adapted from D65 with the Bradford method.
var fromXYZ = [3][3]float64{
	{3.1338561, -1.6168667, -0.4906146},
	{-0.9787684, 1.9161415, 0.0334540},
	{0.0719453, -0.2289914, 1.4052427},
}

// encoded maps linear values, from 0 to unit, to sRGB values.
var encoded = func() (table [unit + 1]uint8) {
	for i := range table {
		v := float64(i) / unit
		if v <= 0.0031308 {
			v *= 12.92
		} else {
			v = 1.055*math.Pow(v, 1/2.4) - 0.055
		}
		table[i] = uint8(math.Round(255 * v))
	}
	return table
}()

// parseProfile returns nil if there is no profile, if it cannot be read, or if it is practically
// sRGB.
func parseProfile(icc []byte) *profile {
	// https://www.color.org/specification/ICC.1-2022-05.pdf, 7.2 and 7.3
	const header = 128
	if len(icc) < header+4 || len(icc) > maxProfileBytes ||
		string(icc[16:24]) != "RGB XYZ " || string(icc[36:40]) != "acsp" {
		return nil
	}
	tags := map[string][]byte{}
	table := icc[header+4:]
	for range min(binary.BigEndian.Uint32(icc[header:]), uint32(len(table)/12)) {
		from := uint64(binary.BigEndian.Uint32(table[4:]))
		size := uint64(binary.BigEndian.Uint32(table[8:]))
		if from+size <= uint64(len(icc)) {
			tags[string(table[:4])] = icc[from : from+size]
		}
		table = table[12:]
	}
	p := &profile{}
	var toXYZ [3][3]float64
	for i, colour := range []string{"r", "g", "b"} {
		xyz := tags[colour+"XYZ"]
		curve := parseCurve(tags[colour+"TRC"])
		if len(xyz) < 20 || curve == nil {
			return nil
		}
		for j := range 3 {
			toXYZ[j][i] = fixed(xyz[8+4*j:])
		}
		for value := range p.linear[i] {
			linear := curve(float64(value) / 255)
			if math.IsNaN(linear) {
				return nil
			}
			p.linear[i][value] = int32(math.Round(unit * min(max(linear, 0), 1)))
		}
	}
	for i := range 3 {
		for j := range 3 {
			var sum float64
			for k := range 3 {
				sum += fromXYZ[i][k] * toXYZ[k][j]
			}
			if math.Abs(sum) > 8 { // about 2 in real profiles; more would overflow an int32
				return nil
			}
			p.matrix[i][j] = int32(math.Round(sum * (1 << matrixBits)))
		}
	}
	if p.isSRGB() {
		return nil
	}
	return p
}

// isSRGB reports whether the conversion changes no colour of a coarse grid visibly.
func (p *profile) isSRGB() bool {
	const step, tolerance = 51, 2
	for r := 0; r < 256; r += step {
		for g := 0; g < 256; g += step {
			for b := 0; b < 256; b += step {
				r2, g2, b2 := p.convert(int32(r), int32(g), int32(b))
				if max(abs(r2-int32(r)), abs(g2-int32(g)), abs(b2-int32(b))) > tolerance {
					return false
				}
			}
		}
	}
	return true
}

func abs(v int32) int32 { return max(v, -v) }

// convert converts a colour to sRGB. Values outside sRGB's gamut are clamped.
func (p *profile) convert(r, g, b int32) (int32, int32, int32) {
	lr, lg, lb := p.linear[0][r], p.linear[1][g], p.linear[2][b]
	channel := func(m *[3]int32) int32 {
		v := (m[0]*lr + m[1]*lg + m[2]*lb + 1<<(matrixBits-1)) >> matrixBits
		return int32(encoded[min(max(v, 0), unit)])
	}
	return channel(&p.matrix[0]), channel(&p.matrix[1]), channel(&p.matrix[2])
}

// toSRGB converts a picture with 4:2:0 subsampling to sRGB.
func (p *profile) toSRGB(picture *planes) {
	if p == nil || len(picture.planes) != 3 {
		return
	}
	y, cb, cr := picture.planes[0], picture.planes[1], picture.planes[2]
	for row := range cb.height {
		for column := range cb.width {
			at := row*cb.stride + column
			blue, red := int32(cb.samples[at])-128, int32(cr.samples[at])-128
			// ITU-T T.871, 7: from YCbCr and back, in units of 1<<16
			dr := (91881*red + 1<<15) >> 16
			dg := (-22554*blue - 46802*red + 1<<15) >> 16
			db := (116130*blue + 1<<15) >> 16
			var sumR, sumG, sumB, n int32
			for i := 2 * row; i < min(2*row+2, y.height); i++ {
				for j := 2 * column; j < min(2*column+2, y.width); j++ {
					sample := &y.samples[i*y.stride+j]
					v := int32(*sample)
					r, g, b := p.convert(within(v+dr), within(v+dg), within(v+db))
					*sample = uint8((19595*r + 38470*g + 7471*b + 1<<15) >> 16)
					sumR, sumG, sumB, n = sumR+r, sumG+g, sumB+b, n+1
				}
			}
			r, g, b := sumR/n, sumG/n, sumB/n
			cb.samples[at] = uint8(within((-11056*r-21712*g+32768*b+1<<15)>>16 + 128))
			cr.samples[at] = uint8(within((32768*r-27440*g-5328*b+1<<15)>>16 + 128))
		}
	}
}

func within(v int32) int32 { return min(max(v, 0), 255) }

// fixed decodes an s15Fixed16Number.
func fixed(b []byte) float64 { return float64(int32(binary.BigEndian.Uint32(b))) / (1 << 16) }

// parseCurve decodes a curveType or a parametricCurveType: 10.6 and 10.18 of the specification. It
// returns nil for other types.
func parseCurve(tag []byte) func(float64) float64 {
	if len(tag) < 12 {
		return nil
	}
	data := tag[12:]
	switch string(tag[:4]) {
	case "curv":
		n := int64(binary.BigEndian.Uint32(tag[8:]))
		switch {
		case n == 0:
			return func(x float64) float64 { return x }
		case n > int64(len(data)/2):
			return nil
		case n == 1:
			gamma := float64(binary.BigEndian.Uint16(data)) / (1 << 8)
			return func(x float64) float64 { return math.Pow(x, gamma) }
		}
		at := func(i int) float64 { return float64(binary.BigEndian.Uint16(data[2*i:])) / 0xffff }
		return func(x float64) float64 {
			whole, part := math.Modf(x * float64(n-1))
			i := int(whole)
			return at(i) + part*(at(min(i+1, int(n)-1))-at(i))
		}
	case "para":
		return parametric(binary.BigEndian.Uint16(tag[8:]), data)
	}
	return nil
}

// parametric returns a power function, shifted and scaled, with a straight line below d. Each kind
// has more parameters than the previous one.
func parametric(kind uint16, data []byte) func(float64) float64 {
	counts := []int{1, 3, 4, 5, 7}
	if int(kind) >= len(counts) || len(data) < 4*counts[kind] {
		return nil
	}
	var p [7]float64
	for i := range counts[kind] {
		p[i] = fixed(data[4*i:])
	}
	g, a, b, c, d, e, f := p[0], p[1], p[2], p[3], p[4], p[5], p[6]
	switch kind {
	case 0:
		a, d = 1, 0
	case 1: // 0 below the start of the power function
		c, d = 0, -b/a
	case 2: // the same, but with an offset
		c, d, e, f = 0, -b/a, c, c
	}
	return func(x float64) float64 {
		if x < d {
			return c*x + f
		}
		return math.Pow(a*x+b, g) + e
	}
}

// profileOfPNG returns the decompressed profile of the chunk iCCP, or nil.
func profileOfPNG(picture []byte) []byte {
	const header, checksum = 8, 4
	for chunks := picture[8:]; len(chunks) >= header; {
		size := int64(binary.BigEndian.Uint32(chunks))
		if header+size+checksum > int64(len(chunks)) {
			return nil
		}
		name, data := string(chunks[4:8]), chunks[header:header+size]
		switch name {
		case "IDAT":
			return nil // iCCP comes before IDAT
		case "iCCP":
			_, compressed, found := bytes.Cut(data, []byte{0}) // after the profile's name
			if !found || len(compressed) < 1 {
				return nil
			}
			// The first byte is the compression method; there is only one.
			reader, err := zlib.NewReader(bytes.NewReader(compressed[1:]))
			if err != nil {
				return nil
			}
			icc, err := io.ReadAll(io.LimitReader(reader, maxProfileBytes))
			if err != nil {
				return nil
			}
			return icc
		}
		chunks = chunks[header+size+checksum:]
	}
	return nil
}
