package imaging_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/color/palette"
	"image/draw"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/ashlar-cdk/ashlar/internal/domain/imaging"
)

var limits = imaging.Limits{Bytes: 20 << 20, Pixels: 50_000_000}

// The quarters of most pictures of testdata.
var (
	red   = color.RGBA{220, 30, 40, 255}
	green = color.RGBA{30, 170, 60, 255}
	blue  = color.RGBA{30, 60, 200, 255}
	grey  = color.RGBA{200, 200, 200, 255}
	white = color.RGBA{255, 255, 255, 255}
)

func read(tb testing.TB, name string) []byte {
	tb.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		tb.Fatal(err)
	}
	return content
}

// thumbnail makes one of the width, and shows it.
func thumbnail(t *testing.T, picture []byte, width int) image.Image {
	t.Helper()
	made, err := imaging.Thumbnails(picture, []int{width}, limits)
	if err != nil {
		t.Fatal(err)
	}
	return show(t, made[0])
}

func show(t *testing.T, thumbnail imaging.Thumbnail) image.Image {
	t.Helper()
	img, err := jpeg.Decode(bytes.NewReader(thumbnail.JPEG))
	if err != nil {
		t.Fatal(err)
	}
	if img.Bounds().Max != thumbnail.Size {
		t.Fatalf("the thumbnail says that it has %v, and has %v", thumbnail.Size, img.Bounds().Max)
	}
	return img
}

// near says whether each of red, green and blue is at most so far off.
func near(got color.Color, want color.RGBA, most int) bool {
	g := color.RGBAModel.Convert(got).(color.RGBA)
	for _, d := range []int{int(g.R) - int(want.R), int(g.G) - int(want.G), int(g.B) - int(want.B)} {
		if max(d, -d) > most {
			return false
		}
	}
	return true
}

// wantColours looks at the middles of the quarters.
func wantColours(t *testing.T, img image.Image, want [4]color.RGBA) {
	t.Helper()
	size := img.Bounds().Max
	for i, w := range want {
		x, y := size.X*(1+i%2*2)/4, size.Y*(1+i/2*2)/4
		if got := img.At(x, y); !near(got, w, 7) {
			t.Errorf("at %d, %d of %v: %v, want %v", x, y, size, color.RGBAModel.Convert(got), w)
		}
	}
}

var quarters = [4]color.RGBA{red, green, blue, grey}

func TestThumbnails_of_every_kind_match_the_golden_ones(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"baseline.jpg", "progressive.jpg", "444.jpg", "422.jpg", "restarts.jpg", "scans.jpg", "rgb.jpg", "wrong-extension.png", "palette.png",
		"interlaced.png", "16-bit.png", "lossy.webp", "lossless.webp", "animated.webp",
	} {
		for _, width := range []int{500, 480, 300, 240, 120, 60} {
			t.Run(fmt.Sprint(name, " at ", width), func(t *testing.T) {
				t.Parallel()
				img := thumbnail(t, read(t, name), width)
				width := min(width, 480)
				if want := image.Pt(width, width*320/480); img.Bounds().Max != want {
					t.Errorf("has %v, want %v", img.Bounds().Max, want)
				}
				wantColours(t, img, quarters)
			})
		}
	}
}

func TestThumbnails_turns_all_orientations_upright(t *testing.T) {
	t.Parallel()
	names := []string{"orientation-6.png", "orientation-6.webp"}
	for i := 1; i <= 8; i++ {
		names = append(names, fmt.Sprintf("orientation-%d.jpg", i))
	}
	for _, name := range names {
		for _, size := range []image.Point{{480, 320}, {240, 160}, {60, 40}} {
			img := thumbnail(t, read(t, name), size.X)
			if img.Bounds().Max != size {
				t.Errorf("%s: has %v, want %v", name, img.Bounds().Max, size)
				continue
			}
			wantColours(t, img, quarters)
		}
	}
}

// Whole pictures, so that nothing is moved by a pixel, which the middles of the quarters do not show. Odd sizes: the
// last pixel has no partner to share its colour with.
func TestThumbnails_turns_every_pixel(t *testing.T) {
	t.Parallel()
	upright := image.NewRGBA(image.Rect(0, 0, 61, 43))
	for y := range 43 {
		for x := range 61 {
			upright.SetRGBA(x, y, color.RGBA{uint8(4 * x), uint8(5 * y), uint8(255 - 2*x - 2*y), 255})
		}
	}
	want := thumbnail(t, encodePNG(t, upright), 47)
	for orientation := 1; orientation <= 8; orientation++ {
		size := upright.Rect.Size()
		if orientation >= 5 {
			size = image.Pt(size.Y, size.X)
		}
		stored := image.NewRGBA(image.Rectangle{Max: size})
		for y := range size.Y {
			for x := range size.X {
				// TIFF 6.0, tag Orientation: where row 0 and column 0 are seen
				right, bottom := size.X-1-x, size.Y-1-y
				at := [...]image.Point{
					{x, y}, {right, y}, {right, bottom}, {x, bottom}, {y, x}, {bottom, x}, {bottom, right}, {y, right},
				}[orientation-1]
				stored.SetRGBA(x, y, upright.RGBAAt(at.X, at.Y))
			}
		}
		got := thumbnail(t, insert(encodePNG(t, stored), chunk("eXIf", exif(byte(orientation)))), 47)
		if got.Bounds() != want.Bounds() {
			t.Errorf("orientation %d: has %v, want %v", orientation, got.Bounds().Max, want.Bounds().Max)
			continue
		}
		for y := range want.Bounds().Max.Y {
			for x := range want.Bounds().Max.X {
				if g, w := got.At(x, y), color.RGBAModel.Convert(want.At(x, y)).(color.RGBA); !near(g, w, 10) {
					t.Fatalf("orientation %d: at %d, %d: %v, want %v", orientation, x, y, color.RGBAModel.Convert(g), w)
				}
			}
		}
	}
}

func TestThumbnails_ignores_invalid_orientations(t *testing.T) {
	t.Parallel()
	img := image.NewGray(image.Rect(0, 0, 30, 20))
	// Of two directories, the second is about a thumbnail that the picture carries.
	ofAnother := slices.Concat([]byte("MM\x00\x2a\x00\x00\x00\x08\x00\x00\x00\x00\x00\x0e"), exif(6)[8:])
	for name, metadata := range map[string][]byte{"0": exif(0), "9": exif(9), "another picture's": ofAnother} {
		if got := thumbnail(t, insert(encodePNG(t, img), chunk("eXIf", metadata)), 30).Bounds().Max; got != img.Rect.Max {
			t.Errorf("orientation %s: has %v, want %v", name, got, img.Rect.Max)
		}
	}
}

func TestThumbnails_converts_CMYK(t *testing.T) {
	t.Parallel()
	want := [4]color.RGBA{{0, 255, 255, 255}, {255, 0, 255, 255}, {255, 255, 0, 255}, {127, 127, 127, 255}}
	for _, name := range []string{"cmyk.jpg", "ycck.jpg"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantColours(t, thumbnail(t, read(t, name), 120), want)
		})
	}
}

func TestThumbnails_keeps_grey(t *testing.T) {
	t.Parallel()
	luma := func(c color.RGBA) color.RGBA {
		y := color.GrayModel.Convert(c).(color.Gray).Y
		return color.RGBA{y, y, y, 255}
	}
	want := [4]color.RGBA{luma(red), luma(green), luma(blue), grey}
	deep := image.NewGray16(image.Rect(0, 0, 480, 320))
	draw.Draw(deep, deep.Rect, thumbnail(t, read(t, "grey.jpg"), 480), image.Point{}, draw.Src)
	for i := 1; i < len(deep.Pix); i += 2 {
		deep.Pix[i] ^= 0xff // what eight bits cannot say
	}
	for name, picture := range map[string][]byte{"a JPEG": read(t, "grey.jpg"), "a PNG of 16 bits": encodePNG(t, deep)} {
		img := thumbnail(t, picture, 120)
		if _, ok := img.(*image.Gray); !ok {
			t.Errorf("%s: its thumbnail is %T, want no colours in it", name, img)
		}
		wantColours(t, img, want)
	}
}

func TestThumbnails_converts_profiles_to_sRGB(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]color.RGBA{
		"display-p3.jpg": {200, 100, 50, 255},
		"display-p3.png": {200, 100, 50, 255},
		"srgb.jpg":       {200, 100, 50, 255},
		// What sharp and Pillow's littleCMS make of 150, 180, 90.
		"adobe-rgb.jpg":  {137, 181, 83, 255},
		"adobe-rgb.png":  {137, 181, 83, 255},
		"adobe-rgb.webp": {137, 181, 83, 255},
	} {
		for _, width := range []int{64, 20} {
			if got := thumbnail(t, read(t, name), width).At(10, 7); !near(got, want, 5) {
				t.Errorf("%s: %v, want %v", name, color.RGBAModel.Convert(got), want)
			}
		}
	}
}

func TestThumbnails_joins_the_parts_of_a_profile(t *testing.T) {
	t.Parallel()
	picture := read(t, "display-p3.jpg")
	at := bytes.Index(picture, []byte("\xff\xe2"))
	end := at + 2 + int(binary.BigEndian.Uint16(picture[at+2:]))
	profile := picture[at+4+len("ICC_PROFILE\x00\x01\x01") : end]
	part := func(number byte, data []byte) []byte {
		segment := append([]byte("ICC_PROFILE\x00"), number, 2)
		segment = append(segment, data...)
		return append(binary.BigEndian.AppendUint16([]byte{0xff, 0xe2}, uint16(2+len(segment))), segment...)
	}
	inParts := slices.Concat(picture[:at], part(2, profile[200:]), part(1, profile[:200]), picture[end:])
	if got, want := thumbnail(t, inParts, 20).At(10, 7), (color.RGBA{200, 100, 50, 255}); !near(got, want, 5) {
		t.Errorf("%v, want %v", color.RGBAModel.Convert(got), want)
	}
}

func TestThumbnails_flattens_transparency_on_white(t *testing.T) {
	t.Parallel()
	over := func(c color.RGBA, alpha int) color.RGBA {
		mix := func(v uint8) uint8 { return uint8((int(v)*alpha + 255*(255-alpha)) / 255) }
		return color.RGBA{mix(c.R), mix(c.G), mix(c.B), 255}
	}
	// To the left nothing and half; to the right more and more, from above to below.
	want := [4]color.RGBA{white, over(green, 63), over(blue, 128), over(grey, 191)}
	for _, name := range []string{"alpha.png", "alpha.webp", "alpha-lossless.webp"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantColours(t, thumbnail(t, read(t, name), 240), want)
		})
	}
}

func TestThumbnails_does_not_bleed_transparent_pixels(t *testing.T) {
	t.Parallel()
	img := image.NewNRGBA(image.Rect(0, 0, 100, 100))
	for i := range img.Pix {
		img.Pix[i] = 255 // white
	}
	for y := range 100 {
		for x := y % 2; x < 100; x += 2 {
			img.SetNRGBA(x, y, color.NRGBA{R: 255}) // red, but transparent
		}
	}
	small := thumbnail(t, encodePNG(t, img), 25)
	for y := range 25 {
		for x := range 25 {
			if got := small.At(x, y); !near(got, white, 2) {
				t.Fatalf("at %d, %d: %v, want white", x, y, color.RGBAModel.Convert(got))
			}
		}
	}
}

// animation is a GIF whose first frame covers the middle of its canvas, and whose second all of it.
func animation(tb testing.TB) []byte {
	tb.Helper()
	first := image.NewPaletted(image.Rect(30, 20, 90, 60), palette.WebSafe)
	draw.Draw(first, first.Rect, image.NewUniform(color.RGBA{255, 0, 0, 255}), image.Point{}, draw.Src)
	second := image.NewPaletted(image.Rect(0, 0, 120, 80), palette.WebSafe)
	draw.Draw(second, second.Rect, image.NewUniform(color.RGBA{0, 0, 255, 255}), image.Point{}, draw.Src)
	var file bytes.Buffer
	err := gif.EncodeAll(&file, &gif.GIF{
		Image: []*image.Paletted{first, second}, Delay: []int{10, 10}, Config: image.Config{ColorModel: first.Palette, Width: 120, Height: 80},
	})
	if err != nil {
		tb.Fatal(err)
	}
	return file.Bytes()
}

func TestThumbnails_shows_the_first_frame_of_an_animation(t *testing.T) {
	t.Parallel()
	img := thumbnail(t, animation(t), 60)
	if want := image.Pt(60, 40); img.Bounds().Max != want {
		t.Errorf("has %v, want %v", img.Bounds().Max, want)
	}
	for at, want := range map[image.Point]color.RGBA{{5, 5}: white, {30, 20}: {255, 0, 0, 255}, {55, 35}: white, {18, 13}: {255, 0, 0, 255}} {
		if got := img.At(at.X, at.Y); !near(got, want, 12) {
			t.Errorf("GIF at %v: %v, want %v", at, color.RGBAModel.Convert(got), want)
		}
	}

	for _, name := range []string{"lossy.webp", "lossless.webp"} {
		frame := read(t, name)[12:] // of 480 by 320
		img = thumbnail(t, webpOf(vp8x(960, 400, 2), anmf(240, 40, frame), anmf(0, 0, frame)), 480)
		if want := image.Pt(480, 200); img.Bounds().Max != want {
			t.Errorf("%s: has %v, want %v", name, img.Bounds().Max, want)
		}
		for at, want := range map[image.Point]color.RGBA{
			{130, 30}: red, {350, 170}: grey, {110, 100}: white, {370, 100}: white, {240, 10}: white, {240, 190}: white,
		} {
			if got := img.At(at.X, at.Y); !near(got, want, 8) {
				t.Errorf("%s at %v: %v, want %v", name, at, color.RGBAModel.Convert(got), want)
			}
		}
	}
}

func TestThumbnails_keeps_plain_areas(t *testing.T) {
	t.Parallel()
	img := image.NewRGBA(image.Rect(0, 0, 501, 333))
	long := image.NewRGBA(image.Rect(0, 0, 40_000, 2))
	for _, level := range []uint8{0, 1, 127, 254, 255} {
		want := color.RGBA{level, level, level, 255}
		draw.Draw(img, img.Rect, image.NewUniform(want), image.Point{}, draw.Src)
		small := thumbnail(t, encodePNG(t, img), 97)
		for _, at := range []image.Point{{0, 0}, {96, 0}, {0, 63}, {96, 63}, {50, 30}} {
			if got := small.At(at.X, at.Y); !near(got, want, 0) {
				t.Errorf("at %v: %v, want %v", at, got, want)
			}
		}
		draw.Draw(long, long.Rect, image.NewUniform(want), image.Point{}, draw.Src)
		if got := thumbnail(t, encodePNG(t, long), 97).At(50, 0); !near(got, want, 0) {
			t.Errorf("of a long picture: %v, want %v", got, want)
		}
	}
}

// Columns of black and of white, as fine as can be, are grey from further away. What takes too few samples shows
// stripes of its own.
func TestThumbnails_averages_fine_patterns(t *testing.T) {
	t.Parallel()
	img := image.NewGray(image.Rect(0, 0, 400, 400))
	for i := range img.Pix {
		img.Pix[i] = uint8(255 * (i % 2))
	}
	for _, width := range []int{175, 100, 33} {
		small := thumbnail(t, encodePNG(t, img), width)
		for x := 4; x < width-4; x++ {
			if got := small.At(x, width/2); !near(got, color.RGBA{127, 127, 127, 255}, 12) {
				t.Fatalf("at %d of %d: %v, want grey", x, width, got)
			}
		}
	}
}

// Of a long picture each pixel stands for thousands, of which each has next to no weight: those weights must not be lost.
func TestThumbnails_scales_long_pictures_smoothly(t *testing.T) {
	t.Parallel()
	img := image.NewGray(image.Rect(0, 0, 65_535, 1))
	for x := range img.Pix {
		img.Pix[x] = uint8(255 * x / 65_535)
	}
	for _, width := range []int{10, 20, 40, 320} {
		small := thumbnail(t, encodePNG(t, img), width)
		for x := 1; x < width-1; x++ { // Lanczos' kernel overshoots at the edges
			v := uint8(255 * (2*x + 1) / (2 * width))
			if got := small.At(x, 0); !near(got, color.RGBA{v, v, v, 255}, 3) {
				t.Errorf("at %d of %d: %v, want %d", x, width, got, v)
			}
		}
	}
}

// What a JPEG is decoded to depends on the widths that are asked for, and so does what a thumbnail is made from.
func TestThumbnails_looks_the_same_from_a_larger_thumbnail(t *testing.T) {
	t.Parallel()
	noise := read(t, "noise.jpg")
	full, err := jpeg.Decode(bytes.NewReader(noise))
	if err != nil {
		t.Fatal(err)
	}
	asPNG := encodePNG(t, full)
	turned := exif(6)
	app1 := append([]byte{0xff, 0xe1, 0, byte(2 + 6 + len(turned))}, "Exif\x00\x00"...)
	app1 = append(app1, turned...)
	for name, pair := range map[string][2][]byte{
		"as it is": {noise, asPNG},
		"turned":   {slices.Concat(noise[:2], app1, noise[2:]), insert(asPNG, chunk("eXIf", turned))},
	} {
		widths := []int{48, 290, 205, 190, 24, 145, 96}
		several, err := imaging.Thumbnails(pair[0], widths, limits)
		if err != nil {
			t.Fatal(err)
		}
		for i, width := range widths {
			want := thumbnail(t, pair[1], width)
			for how, got := range map[string]image.Image{"one of several": show(t, several[i]), "alone": thumbnail(t, pair[0], width)} {
				if got.Bounds() != want.Bounds() {
					t.Errorf("%s at %d, %s: has %v, want %v", name, width, how, got.Bounds().Max, want.Bounds().Max)
				} else if psnr := similarity(got, want); psnr < 27 {
					t.Errorf("%s at %d, %s: %.1f dB, want at least 27", name, width, how, psnr)
				}
			}
		}
	}
}

// similarity is the peak signal-to-noise ratio of brightness, in dB.
func similarity(got, want image.Image) float64 {
	var squares, n float64
	for y := range want.Bounds().Max.Y {
		for x := range want.Bounds().Max.X {
			d := float64(color.GrayModel.Convert(got.At(x, y)).(color.Gray).Y) - float64(color.GrayModel.Convert(want.At(x, y)).(color.Gray).Y)
			squares, n = squares+d*d, n+1
		}
	}
	return 10 * math.Log10(255*255*n/squares)
}

func TestThumbnails_encodes_a_small_picture_once(t *testing.T) {
	t.Parallel()
	made, err := imaging.Thumbnails(read(t, "1x1.jpg"), []int{320, 640}, limits)
	if err != nil {
		t.Fatal(err)
	}
	if &made[0].JPEG[0] != &made[1].JPEG[0] {
		t.Error("it was encoded twice")
	}
}

// vertical-411.jpg gets more red to the right and more green downwards. Four pixels below each other share a colour,
// of which eight times as many are left in a thumbnail.
func TestThumbnails_places_subsampled_colours_of_turned_pictures(t *testing.T) {
	t.Parallel()
	small := thumbnail(t, read(t, "vertical-411.jpg"), 20)
	for y := 2; y < 13; y++ {
		for x := 2; x < 18; x++ {
			want := color.RGBA{uint8(255 * (2*x + 1) / 40), uint8(255 * (2*y + 1) / 30), 128, 255}
			if got := small.At(x, y); !near(got, want, 20) {
				t.Errorf("at %d, %d: %v, want %v", x, y, color.RGBAModel.Convert(got), want)
			}
		}
	}
}

func TestThumbnails_never_enlarges(t *testing.T) {
	t.Parallel()
	made, err := imaging.Thumbnails(read(t, "baseline.jpg"), []int{640, 240, 1920}, limits)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		width int
		size  image.Point
	}{{640, image.Pt(480, 320)}, {240, image.Pt(240, 160)}, {1920, image.Pt(480, 320)}} {
		if made[i].Width != want.width || made[i].Size != want.size {
			t.Errorf("%d: %v, want %d: %v", made[i].Width, made[i].Size, want.width, want.size)
		}
		wantColours(t, show(t, made[i]), quarters)
	}
}

func TestThumbnails_rounds_sides_to_at_least_one_pixel(t *testing.T) {
	t.Parallel()
	for _, want := range []struct{ picture, thumbnail image.Point }{
		{image.Pt(1, 1), image.Pt(1, 1)},
		{image.Pt(1, 5000), image.Pt(1, 1280)},
		{image.Pt(300, 1200), image.Pt(300, 1200)},
		{image.Pt(300, 1281), image.Pt(300, 1280)},
		{image.Pt(640, 2560), image.Pt(320, 1280)},
		{image.Pt(640, 5120), image.Pt(160, 1280)},
		{image.Pt(5000, 1), image.Pt(320, 1)},
		{image.Pt(3, 2), image.Pt(3, 2)},
		{image.Pt(480, 322), image.Pt(320, 215)}, // two thirds are 214.67
	} {
		img := image.NewRGBA(image.Rectangle{Max: want.picture})
		draw.Draw(img, img.Rect, image.NewUniform(red), image.Point{}, draw.Src)
		var asJPEG bytes.Buffer
		if err := jpeg.Encode(&asJPEG, img, nil); err != nil {
			t.Fatal(err)
		}
		for kind, picture := range map[string][]byte{"PNG": encodePNG(t, img), "JPEG": asJPEG.Bytes()} {
			small := thumbnail(t, picture, 320)
			if small.Bounds().Max != want.thumbnail {
				t.Errorf("%s of %v: has %v, want %v", kind, want.picture, small.Bounds().Max, want.thumbnail)
			}
			if got := small.At(small.Bounds().Dx()-1, small.Bounds().Dy()-1); !near(got, red, 6) {
				t.Errorf("%s of %v: %v, want %v", kind, want.picture, color.RGBAModel.Convert(got), red)
			}
		}
	}
	if got := thumbnail(t, read(t, "1x1.jpg"), 320).At(0, 0); !near(got, red, 6) {
		t.Errorf("1x1.jpg: %v, want %v", color.RGBAModel.Convert(got), red)
	}
}

// A thumbnail says nothing about who took the picture, where, and with what: it has the segments that it needs for
// its pixels.
func TestThumbnails_hold_no_metadata(t *testing.T) {
	t.Parallel()
	needed := []byte{0xdb, 0xc0, 0xc4, 0xda} // DQT, SOF0, DHT, SOS
	files, err := os.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if slices.Contains([]string{".py", ".mjs", ".md", ""}, filepath.Ext(file.Name())) {
			continue
		}
		made, err := imaging.Thumbnails(read(t, file.Name()), []int{100}, limits)
		if err != nil {
			t.Errorf("%s: %v", file.Name(), err)
			continue
		}
		content := made[0].JPEG
		for at := 2; content[at+1] != 0xda; at += 2 + int(binary.BigEndian.Uint16(content[at+2:])) {
			if !slices.Contains(needed, content[at+1]) {
				t.Errorf("%s: its thumbnail has a segment %x", file.Name(), content[at+1])
			}
		}
		for _, word := range []string{"Exif", "ICC_PROFILE", "secret", "http", "JFIF"} {
			if bytes.Contains(content, []byte(word)) {
				t.Errorf("%s: its thumbnail says %q", file.Name(), word)
			}
		}
	}
}

func TestThumbnails_fails_on_invalid_widths(t *testing.T) {
	t.Parallel()
	for _, width := range []int{0, -1} {
		if _, err := imaging.Thumbnails(read(t, "baseline.jpg"), []int{320, width}, limits); err == nil || errors.Is(err, imaging.ErrRejected) {
			t.Errorf("width %d: %v, want an error that is not the picture's", width, err)
		}
	}
	if made, err := imaging.Thumbnails([]byte("nothing"), nil, limits); made != nil || err != nil {
		t.Errorf("no widths: %v, %v, want nothing", made, err)
	}
}

func encodePNG(tb testing.TB, img image.Image) []byte {
	tb.Helper()
	var file bytes.Buffer
	if err := png.Encode(&file, img); err != nil {
		tb.Fatal(err)
	}
	return file.Bytes()
}

// exif has one tag, Orientation.
func exif(orientation byte) []byte {
	const header, entries, tag = "MM\x00\x2a\x00\x00\x00\x08", "\x00\x01", "\x01\x12\x00\x03\x00\x00\x00\x01"
	return slices.Concat([]byte(header+entries+tag), []byte{0, orientation, 0, 0}, make([]byte, 4))
}

// chunk is one of a PNG.
func chunk(name string, data []byte) []byte {
	c := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	c = append(append(c, name...), data...)
	return binary.BigEndian.AppendUint32(c, crc32.ChecksumIEEE(c[4:]))
}

// insert puts a chunk behind the header of a PNG.
func insert(picture, chunk []byte) []byte {
	const header = 8 + 25
	return slices.Concat(picture[:header], chunk, picture[header:])
}

// rejected wants an error that wraps ErrRejected, with the reason.
func rejected(t *testing.T, picture []byte, limits imaging.Limits, reason string) {
	t.Helper()
	made, err := imaging.Thumbnails(picture, []int{320, 640}, limits)
	if !errors.Is(err, imaging.ErrRejected) || !strings.Contains(fmt.Sprint(err), reason) || made != nil {
		t.Errorf("%d thumbnails, %v, want none and a refusal that says %q", len(made), err, reason)
	}
}

// allocated are the bytes that were asked for while f ran, freed or not. Tests that look are not parallel.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
