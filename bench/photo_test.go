package bench

import (
	"image"
	"math"
	"math/rand/v2"
)

// photo generates a picture that is as hard to compress and to scale as a photograph, and identical
// on every machine: a sky with a gradient, hills of noise in seven octaves with hard edges between
// them, a brick wall, fine twigs, lamps that are the brightest points, and sensor noise. As a JPEG
// of quality 90 it takes two bits per pixel, as a phone's photo does.
func photo(width, height int, seed uint64) *image.NRGBA {
	random := rand.New(rand.NewPCG(seed, seed))
	var noises [3]*noise
	for i := range noises {
		noises[i] = newNoise(random)
	}
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			u, v := float64(x)/float64(height), float64(y)/float64(height) // the shorter side is 1
			r, g, b := 0.45+0.3*v, 0.6+0.2*v, 0.9-0.1*v
			cloud := noises[2].octaves(u*2, v*3, 6)
			r, g, b = r+0.35*cloud, g+0.3*cloud, b+0.15*cloud
			for hill := range 3 {
				edge := 0.35 + 0.15*float64(hill) +
					0.12*noises[0].octaves(u*(1.5+float64(hill)), float64(hill)*9.7, 5)
				if v < edge {
					continue
				}
				grass := noises[1].octaves(u*12, v*12+float64(hill)*31, 7)
				light := 0.75 + 0.7*grass
				r = (0.5 - 0.12*float64(hill)) * light
				g = (0.55 - 0.1*float64(hill)) * light
				b = (0.4 - 0.12*float64(hill)) * light
			}
			if v > 0.55 && u > 0.7 && v > 0.85-0.3*(u-0.7) { // the wall
				row := v * 28
				column := u*14 + 0.5*math.Mod(math.Floor(row), 2)
				shade := 0.8 + 0.5*noises[1].octaves(u*30, v*30, 5)
				if _, f := math.Modf(row); f < 0.09 {
					r, g, b = 0.75*shade, 0.72*shade, 0.68*shade
				} else if _, f := math.Modf(column); f < 0.05 {
					r, g, b = 0.7*shade, 0.68*shade, 0.66*shade
				} else {
					tint := noises[2].at(math.Floor(column)*3.1, math.Floor(row)*5.3)
					r, g, b = (0.62+0.2*tint)*shade, (0.3+0.1*tint)*shade, (0.22+0.05*tint)*shade
				}
			}
			twig := math.Abs(noises[0].octaves(u*9, v*9, 4))
			if twig < 0.012 && u < 0.6 && v > 0.1 {
				r, g, b = 0.18, 0.13, 0.1
			}
			if dx, dy := math.Mod(u, 0.25)-0.12, v-0.3; dx*dx+dy*dy < 0.0002 {
				r, g, b = 1.2, 1.1, 0.85
			}
			grain := (random.Float64() + random.Float64() - 1) * 0.05
			i := img.PixOffset(x, y)
			img.Pix[i], img.Pix[i+1] = level(r+grain), level(g+grain)
			img.Pix[i+2], img.Pix[i+3] = level(b+grain), 255
		}
	}
	return img
}

func level(v float64) uint8 { return uint8(math.Round(255 * min(max(v, 0), 1))) }

// noise has a value at each point of a periodic lattice of 256 by 256.
type noise [256][256]float64

func newNoise(random *rand.Rand) *noise {
	var n noise
	for i := range n {
		for j := range n[i] {
			n[i][j] = random.Float64()*2 - 1
		}
	}
	return &n
}

// at interpolates between the four lattice points around (x, y); its values are from -1 to 1.
func (n *noise) at(x, y float64) float64 {
	fx, fy := math.Floor(x), math.Floor(y)
	i, j := int(fy)&255, int(fx)&255
	dx, dy := x-fx, y-fy
	dx, dy = dx*dx*(3-2*dx), dy*dy*(3-2*dy)
	above := n[i][j] + dx*(n[i][(j+1)&255]-n[i][j])
	below := n[(i+1)&255][j] + dx*(n[(i+1)&255][(j+1)&255]-n[(i+1)&255][j])
	return above + dy*(below-above)
}

// octaves adds up noise of increasing frequency, each octave half as strong as the one before.
func (n *noise) octaves(x, y float64, count int) float64 {
	sum, strength := 0.0, 0.5
	for range count {
		sum += strength * n.at(x, y)
		x, y, strength = x*2+17.3, y*2+5.9, strength/2
	}
	return sum
}
