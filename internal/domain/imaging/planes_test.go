package imaging

import (
	"fmt"
	"image"
	"math"
	"testing"
)

// slope is a picture's brightness and colours at a point of it: they rise evenly, each in a direction of its own, and
// are whole numbers in the middle of a pixel.
func slope(plane int, x, y float64) float64 {
	return [...]float64{40 + x + y, 60 + 2*x, 80 + 2*y}[plane]
}

// sloping is such a picture, whose samples stand for the middle of the pixels that share them, as JPEG has it. Each of
// its pixels is shrunk from a square of so many.
func sloping(size image.Point, ratio image.YCbCrSubsampleRatio, shrunk float64) *image.YCbCr {
	img := image.NewYCbCr(image.Rectangle{Max: size}, ratio)
	fill := func(plane int, samples []uint8, stride int, shareX, shareY float64) {
		for i := range samples {
			x, y := (float64(i%stride)+0.5)*shareX*shrunk, (float64(i/stride)+0.5)*shareY*shrunk
			samples[i] = uint8(math.Round(slope(plane, x, y)))
		}
	}
	share := map[image.YCbCrSubsampleRatio][2]float64{
		image.YCbCrSubsampleRatio444: {1, 1}, image.YCbCrSubsampleRatio440: {1, 2}, image.YCbCrSubsampleRatio422: {2, 1},
		image.YCbCrSubsampleRatio420: {2, 2}, image.YCbCrSubsampleRatio411: {4, 1}, image.YCbCrSubsampleRatio410: {4, 2},
	}[ratio]
	fill(0, img.Y, img.YStride, 1, 1)
	fill(1, img.Cb, img.CStride, share[0], share[1])
	fill(2, img.Cr, img.CStride, share[0], share[1])
	return img
}

// wantSlope wants the plane to rise as the picture of the size does, but for its edges, where there is nothing beyond
// to tell. Rounding may not darken or brighten it as a whole either.
func wantSlope(t *testing.T, what string, number int, p plane, size image.Point, turn orientation) {
	t.Helper()
	const edge = 6 // lobes and pixels that share a colour
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
				t.Fatalf("%s, plane %d at %d, %d: %d, want %.1f", what, number, x, y, p.samples[y*p.stride+x], want)
			}
			errors, n = errors+d, n+1
		}
	}
	if n == 0 || math.Abs(errors/n) > 0.2 {
		t.Errorf("%s, plane %d: %.2f too much in the middle of %.0f samples", what, number, errors/n, n)
	}
}

func TestPlanes_keep_subsampled_colours_in_place(t *testing.T) {
	t.Parallel()
	size := image.Pt(61, 43) // the last pixels are alone
	for ratio := image.YCbCrSubsampleRatio444; ratio <= image.YCbCrSubsampleRatio410; ratio++ {
		for turn := upright; turn <= last; turn++ {
			for _, small := range []image.Point{{61, 43}, {47, 33}, {40, 28}} {
				if turn.transposes() {
					small = image.Pt(small.Y, small.X)
				}
				img := sloping(size, ratio, 1)
				resized := fromImage(img, img.Rect).resize(small, turn)
				for i, p := range resized.planes {
					wantSlope(t, fmt.Sprint(ratio, " to ", small, ", orientation ", turn), i, p, size, turn)
				}
			}
		}
	}
}

// A picture of 61 by 43 pixels that is decoded at half its size has 31 by 22 samples, and the last are half empty.
func TestPlanes_shrunk_accounts_for_half_empty_samples(t *testing.T) {
	t.Parallel()
	size := image.Pt(61, 43)
	for _, ratio := range []image.YCbCrSubsampleRatio{image.YCbCrSubsampleRatio444, image.YCbCrSubsampleRatio422} {
		img := sloping(image.Pt(31, 22), ratio, 2)
		decoded := fromImage(img, img.Rect)
		decoded.shrunk(size, 2)
		wantSlope(t, fmt.Sprint(ratio), 0, decoded.resize(image.Pt(30, 21), upright).planes[0], size, upright)
		for i, p := range decoded.resize(size, upright).planes { // larger, as the colours of a small one are all edge
			wantSlope(t, fmt.Sprint(ratio), i, p, size, upright)
		}
	}
}
