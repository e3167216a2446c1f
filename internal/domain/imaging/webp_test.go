package imaging

import (
	"image"
	"testing"
)

// RFC 6386, 9.2: brightness is from 16 to 235, colours are from 16 to 240 around 128.
func TestFullRange(t *testing.T) {
	t.Parallel()
	img := image.NewYCbCr(image.Rect(0, 0, 4, 1), image.YCbCrSubsampleRatio444)
	copy(img.Y, []uint8{0, 16, 235, 255})
	copy(img.Cb, []uint8{0, 72, 128, 240})
	copy(img.Cr, []uint8{255, 128, 72, 184})
	fullRange(img)
	for i, want := range []uint8{0, 0, 255, 255, 0, 64, 128, 255, 255, 128, 64, 192} {
		got := [][]uint8{img.Y, img.Cb, img.Cr}[i/4][i%4]
		if max(got, want)-min(got, want) > 1 {
			t.Errorf("plane %d, sample %d: %d, want %d", i/4, i%4, got, want)
		}
	}
}
