package imaging

import (
	"fmt"
	"image"
	"math"
	"testing"
)

// slope returns the brightness or a colour at a point of a test picture. Each rises evenly in its
// own direction, and is an integer in the middle of a pixel.
func slope(plane int, x, y float64) float64 {
	return [...]float64{40 + x + y, 60 + 2*x, 80 + 2*y}[plane]
}

// sloping returns the test picture. As in JPEG, a sample represents the middle of the pixels that
// share it. Each pixel represents a square of shrink by shrink pixels of the original.
func sloping(size image.Point, ratio image.YCbCrSubsampleRatio, shrink float64) *image.YCbCr {
	img := image.NewYCbCr(image.Rectangle{Max: size}, ratio)
	fill := func(plane int, samples []uint8, stride int, shareX, shareY float64) {
		for i := range samples {
			x := (float64(i%stride) + 0.5) * shareX * shrink
			y := (float64(i/stride) + 0.5) * shareY * shrink
			samples[i] = uint8(math.Round(slope(plane, x, y)))
		}
	}
	share := map[image.YCbCrSubsampleRatio][2]float64{
		image.YCbCrSubsampleRatio444: {1, 1},
		image.YCbCrSubsampleRatio440: {1, 2},
		image.YCbCrSubsampleRatio422: {2, 1},
		image.YCbCrSubsampleRatio420: {2, 2},
		image.YCbCrSubsampleRatio411: {4, 1},
		image.YCbCrSubsampleRatio410: {4, 2},
	}[ratio]
	fill(0, img.Y, img.YStride, 1, 1)
	fill(1, img.Cb, img.CStride, share[0], share[1])
	fill(2, img.Cr, img.CStride, share[0], share[1])
	return img
}

// wantSlope checks that a plane rises like the test picture of the size, except at its edges, where
// the samples beyond are missing. Rounding must not make it darker or brighter on average.
func wantSlope(
	t *testing.T, name string, number int, p plane, size image.Point, turn orientation,
) {
	t.Helper()
	const edge = 6 // the kernel's lobes and pixels that share a colour
	var errors, n float64
	for y := edge; y < p.height-edge; y++ {
		for x := edge; x < p.width-edge; x++ {
			along, down := (float64(x)+0.5)/p.spanX, (float64(y)+0.5)/p.spanY
			if turn.transposes() {
				along, down = down, along
			}
			if turn.mirrorsX() {
				along = 1 - along
			}
			if turn.mirrorsY() {
				down = 1 - down
			}
			want := slope(number, along*float64(size.X), down*float64(size.Y))
			d := float64(p.samples[y*p.stride+x]) - want
			if math.Abs(d) > 1.5 {
				t.Fatalf("%s, plane %d at %d, %d: %d, want %.1f",
					name, number, x, y, p.samples[y*p.stride+x], want)
			}
			errors, n = errors+d, n+1
		}
	}
	if n == 0 || math.Abs(errors/n) > 0.2 {
		t.Errorf("%s, plane %d: %.2f too bright on average of %.0f samples",
			name, number, errors/n, n)
	}
}

func TestPlanes_resize_keeps_subsampled_colours_in_place(t *testing.T) {
	t.Parallel()
	size := image.Pt(61, 43) // odd: the last pixels share their colour with no other
	for ratio := image.YCbCrSubsampleRatio444; ratio <= image.YCbCrSubsampleRatio410; ratio++ {
		for turn := upright; turn <= last; turn++ {
			for _, small := range []image.Point{{61, 43}, {47, 33}, {40, 28}} {
				if turn.transposes() {
					small = image.Pt(small.Y, small.X)
				}
				img := sloping(size, ratio, 1)
				resized := fromImage(img, img.Rect).resize(small, turn)
				name := fmt.Sprint(ratio, " to ", small, ", orientation ", turn)
				for i, p := range resized.planes {
					wantSlope(t, name, i, p, size, turn)
				}
			}
		}
	}
}

// A picture of 61 by 43 pixels that is decoded at half its size has 31 by 22 samples, of which the
// last ones are half empty.
func TestPlanes_setShrunk_accounts_for_half_empty_samples(t *testing.T) {
	t.Parallel()
	size := image.Pt(61, 43)
	for _, ratio := range []image.YCbCrSubsampleRatio{
		image.YCbCrSubsampleRatio444, image.YCbCrSubsampleRatio422,
	} {
		img := sloping(image.Pt(31, 22), ratio, 2)
		decoded := fromImage(img, img.Rect)
		decoded.setShrunk(size, 2)
		small := decoded.resize(image.Pt(30, 21), upright)
		wantSlope(t, fmt.Sprint(ratio), 0, small.planes[0], size, upright)
		// The colour planes of a small picture consist of edges, so they are checked at full size.
		for i, p := range decoded.resize(size, upright).planes {
			wantSlope(t, fmt.Sprint(ratio), i, p, size, upright)
		}
	}
}
