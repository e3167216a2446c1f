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

// Colours of the quarters of most pictures in testdata.
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

// thumbnail generates a thumbnail of the width and decodes it.
func thumbnail(t *testing.T, picture []byte, width int) image.Image {
	t.Helper()
	thumbnails, err := imaging.Thumbnails(picture, []int{width}, limits)
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, thumbnails[0])
}

func decode(t *testing.T, thumbnail imaging.Thumbnail) image.Image {
	t.Helper()
	img, err := jpeg.Decode(bytes.NewReader(thumbnail.JPEG))
	if err != nil {
		t.Fatal(err)
	}
	if img.Bounds().Max != thumbnail.Size {
		t.Fatalf("Size %v, want the actual size %v", thumbnail.Size, img.Bounds().Max)
	}
	return img
}

// near reports whether red, green and blue each differ by at most tolerance.
func near(got color.Color, want color.RGBA, tolerance int) bool {
	g := rgba(got)
	within := func(a, b uint8) bool { return max(a, b)-min(a, b) <= uint8(tolerance) }
	return within(g.R, want.R) && within(g.G, want.G) && within(g.B, want.B)
}

func rgba(c color.Color) color.RGBA { return color.RGBAModel.Convert(c).(color.RGBA) }

// wantColours checks the colours in the middle of the quarters.
func wantColours(t *testing.T, img image.Image, want [4]color.RGBA) {
	t.Helper()
	size := img.Bounds().Max
	for i, w := range want {
		x, y := size.X*(1+i%2*2)/4, size.Y*(1+i/2*2)/4
		if got := img.At(x, y); !near(got, w, 7) {
			t.Errorf("at %d, %d of %v: %v, want %v", x, y, size, rgba(got), w)
		}
	}
}

var quarters = [4]color.RGBA{red, green, blue, grey}

func TestThumbnails_keeps_colours_of_every_format(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"baseline.jpg", "progressive.jpg", "444.jpg", "422.jpg", "restarts.jpg", "scans.jpg",
		"rgb.jpg", "wrong-extension.png", "palette.png", "interlaced.png", "16-bit.png",
		"lossy.webp", "lossless.webp", "animated.webp",
	} {
		for _, width := range []int{500, 480, 300, 240, 120, 60} {
			t.Run(fmt.Sprint(name, " at ", width), func(t *testing.T) {
				t.Parallel()
				img := thumbnail(t, read(t, name), width)
				width := min(width, 480)
				if want := image.Pt(width, width*320/480); img.Bounds().Max != want {
					t.Errorf("size %v, want %v", img.Bounds().Max, want)
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
				t.Errorf("%s: size %v, want %v", name, img.Bounds().Max, size)
				continue
			}
			wantColours(t, img, quarters)
		}
	}
}

// This test compares all pixels: the middles of the quarters do not show a shift by one pixel. The
// sides are odd, so the last pixel shares its colour with no other.
func TestThumbnails_turns_every_pixel(t *testing.T) {
	t.Parallel()
	upright := image.NewRGBA(image.Rect(0, 0, 61, 43))
	for y := range 43 {
		for x := range 61 {
			c := color.RGBA{uint8(4 * x), uint8(5 * y), uint8(255 - 2*x - 2*y), 255}
			upright.SetRGBA(x, y, c)
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
				// TIFF 6.0, tag Orientation: the position of row 0 and column 0 when upright
				right, bottom := size.X-1-x, size.Y-1-y
				at := [...]image.Point{
					{x, y}, {right, y}, {right, bottom}, {x, bottom},
					{y, x}, {bottom, x}, {bottom, right}, {y, right},
				}[orientation-1]
				stored.SetRGBA(x, y, upright.RGBAAt(at.X, at.Y))
			}
		}
		metadata := chunk("eXIf", exif(byte(orientation)))
		got := thumbnail(t, insert(encodePNG(t, stored), metadata), 47)
		if got.Bounds() != want.Bounds() {
			t.Errorf("orientation %d: size %v, want %v",
				orientation, got.Bounds().Max, want.Bounds().Max)
			continue
		}
		for y := range want.Bounds().Max.Y {
			for x := range want.Bounds().Max.X {
				if g, w := got.At(x, y), rgba(want.At(x, y)); !near(g, w, 10) {
					t.Fatalf("orientation %d: at %d, %d: %v, want %v",
						orientation, x, y, rgba(g), w)
				}
			}
		}
	}
}

func TestThumbnails_ignores_invalid_orientations(t *testing.T) {
	t.Parallel()
	img := image.NewGray(image.Rect(0, 0, 30, 20))
	// The second EXIF directory describes the embedded thumbnail.
	const firstDirectory = "MM\x00\x2a\x00\x00\x00\x08\x00\x00\x00\x00\x00\x0e"
	ofThumbnail := slices.Concat([]byte(firstDirectory), exif(6)[8:])
	for name, metadata := range map[string][]byte{
		"0": exif(0), "9": exif(9), "of the embedded thumbnail": ofThumbnail,
	} {
		got := thumbnail(t, insert(encodePNG(t, img), chunk("eXIf", metadata)), 30).Bounds().Max
		if got != img.Rect.Max {
			t.Errorf("orientation %s: size %v, want %v", name, got, img.Rect.Max)
		}
	}
}

func TestThumbnails_converts_CMYK(t *testing.T) {
	t.Parallel()
	want := [4]color.RGBA{
		{0, 255, 255, 255}, {255, 0, 255, 255}, {255, 255, 0, 255}, {127, 127, 127, 255},
	}
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
		deep.Pix[i] ^= 0xff // the lower 8 of 16 bits
	}
	for name, picture := range map[string][]byte{
		"JPEG": read(t, "grey.jpg"), "16-bit PNG": encodePNG(t, deep),
	} {
		img := thumbnail(t, picture, 120)
		if _, ok := img.(*image.Gray); !ok {
			t.Errorf("%s: the thumbnail is %T, want a grey image", name, img)
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
		// The result of sharp and Pillow's littleCMS for 150, 180, 90.
		"adobe-rgb.jpg":  {137, 181, 83, 255},
		"adobe-rgb.png":  {137, 181, 83, 255},
		"adobe-rgb.webp": {137, 181, 83, 255},
	} {
		for _, width := range []int{64, 20} {
			if got := thumbnail(t, read(t, name), width).At(10, 7); !near(got, want, 5) {
				t.Errorf("%s: %v, want %v", name, rgba(got), want)
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
		header := binary.BigEndian.AppendUint16([]byte{0xff, 0xe2}, uint16(2+len(segment)))
		return append(header, segment...)
	}
	second, first := part(2, profile[200:]), part(1, profile[:200])
	inParts := slices.Concat(picture[:at], second, first, picture[end:])
	want := color.RGBA{200, 100, 50, 255}
	if got := thumbnail(t, inParts, 20).At(10, 7); !near(got, want, 5) {
		t.Errorf("%v, want %v", rgba(got), want)
	}
}

func TestThumbnails_flattens_transparency_on_white(t *testing.T) {
	t.Parallel()
	over := func(c color.RGBA, alpha int) color.RGBA {
		mix := func(v uint8) uint8 { return uint8((int(v)*alpha + 255*(255-alpha)) / 255) }
		return color.RGBA{mix(c.R), mix(c.G), mix(c.B), 255}
	}
	// The left half is transparent above and half transparent below. The right half gets more
	// opaque from top to bottom.
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
				t.Fatalf("at %d, %d: %v, want white", x, y, rgba(got))
			}
		}
	}
}

// fill gives an image one colour.
func fill(img draw.Image, c color.RGBA) {
	draw.Draw(img, img.Bounds(), image.NewUniform(c), image.Point{}, draw.Src)
}

// animation returns a GIF whose first frame covers the middle of the canvas, and whose second frame
// covers all of it.
func animation(tb testing.TB) []byte {
	tb.Helper()
	first := image.NewPaletted(image.Rect(30, 20, 90, 60), palette.WebSafe)
	fill(first, color.RGBA{255, 0, 0, 255})
	second := image.NewPaletted(image.Rect(0, 0, 120, 80), palette.WebSafe)
	fill(second, color.RGBA{0, 0, 255, 255})
	var file bytes.Buffer
	err := gif.EncodeAll(&file, &gif.GIF{
		Image:  []*image.Paletted{first, second},
		Delay:  []int{10, 10},
		Config: image.Config{ColorModel: first.Palette, Width: 120, Height: 80},
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
		t.Errorf("GIF: size %v, want %v", img.Bounds().Max, want)
	}
	for at, want := range map[image.Point]color.RGBA{
		{5, 5}: white, {30, 20}: {255, 0, 0, 255}, {55, 35}: white, {18, 13}: {255, 0, 0, 255},
	} {
		if got := img.At(at.X, at.Y); !near(got, want, 12) {
			t.Errorf("GIF at %v: %v, want %v", at, rgba(got), want)
		}
	}

	for _, name := range []string{"lossy.webp", "lossless.webp"} {
		frame := read(t, name)[12:] // 480 by 320 pixels
		img = thumbnail(t, webpOf(vp8x(960, 400, 2), anmf(240, 40, frame), anmf(0, 0, frame)), 480)
		if want := image.Pt(480, 200); img.Bounds().Max != want {
			t.Errorf("%s: size %v, want %v", name, img.Bounds().Max, want)
		}
		for at, want := range map[image.Point]color.RGBA{
			{130, 30}: red, {350, 170}: grey,
			{110, 100}: white, {370, 100}: white, {240, 10}: white, {240, 190}: white,
		} {
			if got := img.At(at.X, at.Y); !near(got, want, 8) {
				t.Errorf("%s at %v: %v, want %v", name, at, rgba(got), want)
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
		fill(img, want)
		small := thumbnail(t, encodePNG(t, img), 97)
		for _, at := range []image.Point{{0, 0}, {96, 0}, {0, 63}, {96, 63}, {50, 30}} {
			if got := small.At(at.X, at.Y); !near(got, want, 0) {
				t.Errorf("at %v: %v, want %v", at, got, want)
			}
		}
		fill(long, want)
		if got := thumbnail(t, encodePNG(t, long), 97).At(50, 0); !near(got, want, 0) {
			t.Errorf("long picture: %v, want %v", got, want)
		}
	}
}

// Alternating black and white columns average to grey. A kernel with too few samples would show
// other stripes.
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

// Each pixel of the thumbnail represents thousands of pixels with tiny weights. Those weights must
// not be rounded to nothing.
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

// The requested widths determine the size to which a JPEG is decoded, and the picture from which a
// thumbnail is scaled.
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
	turnedJPEG := slices.Concat(noise[:2], app1, noise[2:])
	turnedPNG := insert(asPNG, chunk("eXIf", turned))
	for name, pair := range map[string][2][]byte{
		"upright": {noise, asPNG},
		"turned":  {turnedJPEG, turnedPNG},
	} {
		widths := []int{48, 290, 205, 190, 24, 145, 96}
		several, err := imaging.Thumbnails(pair[0], widths, limits)
		if err != nil {
			t.Fatal(err)
		}
		for i, width := range widths {
			want := thumbnail(t, pair[1], width)
			for how, got := range map[string]image.Image{
				"one of several": decode(t, several[i]), "alone": thumbnail(t, pair[0], width),
			} {
				if got.Bounds() != want.Bounds() {
					t.Errorf("%s at %d, %s: size %v, want %v",
						name, width, how, got.Bounds().Max, want.Bounds().Max)
				} else if psnr := similarity(got, want); psnr < 27 {
					t.Errorf("%s at %d, %s: %.1f dB, want at least 27", name, width, how, psnr)
				}
			}
		}
	}
}

// similarity returns the peak signal-to-noise ratio of brightness, in dB.
func similarity(got, want image.Image) float64 {
	brightness := func(c color.Color) float64 {
		return float64(color.GrayModel.Convert(c).(color.Gray).Y)
	}
	var squares, n float64
	for y := range want.Bounds().Max.Y {
		for x := range want.Bounds().Max.X {
			d := brightness(got.At(x, y)) - brightness(want.At(x, y))
			squares, n = squares+d*d, n+1
		}
	}
	return 10 * math.Log10(255*255*n/squares)
}

func TestThumbnails_encodes_a_small_picture_once(t *testing.T) {
	t.Parallel()
	thumbnails, err := imaging.Thumbnails(read(t, "1x1.jpg"), []int{320, 640}, limits)
	if err != nil {
		t.Fatal(err)
	}
	if &thumbnails[0].JPEG[0] != &thumbnails[1].JPEG[0] {
		t.Error("the thumbnail was encoded twice")
	}
}

// vertical-411.jpg gets redder to the right and greener to the bottom. Four vertically adjacent
// pixels share a colour; a thumbnail keeps one in eight pixels per side.
func TestThumbnails_places_subsampled_colours_of_turned_pictures(t *testing.T) {
	t.Parallel()
	small := thumbnail(t, read(t, "vertical-411.jpg"), 20)
	for y := 2; y < 13; y++ {
		for x := 2; x < 18; x++ {
			want := color.RGBA{uint8(255 * (2*x + 1) / 40), uint8(255 * (2*y + 1) / 30), 128, 255}
			if got := small.At(x, y); !near(got, want, 20) {
				t.Errorf("at %d, %d: %v, want %v", x, y, rgba(got), want)
			}
		}
	}
}

func TestThumbnails_never_enlarges(t *testing.T) {
	t.Parallel()
	thumbnails, err := imaging.Thumbnails(read(t, "baseline.jpg"), []int{640, 240, 1920}, limits)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		width int
		size  image.Point
	}{{640, image.Pt(480, 320)}, {240, image.Pt(240, 160)}, {1920, image.Pt(480, 320)}} {
		got := thumbnails[i]
		if got.Width != want.width || got.Size != want.size {
			t.Errorf("%d: %v, want %d: %v", got.Width, got.Size, want.width, want.size)
		}
		wantColours(t, decode(t, got), quarters)
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
		fill(img, red)
		var asJPEG bytes.Buffer
		if err := jpeg.Encode(&asJPEG, img, nil); err != nil {
			t.Fatal(err)
		}
		for format, picture := range map[string][]byte{
			"PNG": encodePNG(t, img), "JPEG": asJPEG.Bytes(),
		} {
			small := thumbnail(t, picture, 320)
			if small.Bounds().Max != want.thumbnail {
				t.Errorf("%s of %v: size %v, want %v",
					format, want.picture, small.Bounds().Max, want.thumbnail)
			}
			if got := small.At(small.Bounds().Dx()-1, small.Bounds().Dy()-1); !near(got, red, 6) {
				t.Errorf("%s of %v: %v, want %v", format, want.picture, rgba(got), red)
			}
		}
	}
	if got := thumbnail(t, read(t, "1x1.jpg"), 320).At(0, 0); !near(got, red, 6) {
		t.Errorf("1x1.jpg: %v, want %v", rgba(got), red)
	}
}

// A thumbnail contains only the segments that its pixels need, so it does not reveal the
// photographer, the place or the camera.
func TestThumbnails_contain_no_metadata(t *testing.T) {
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
		thumbnails, err := imaging.Thumbnails(read(t, file.Name()), []int{100}, limits)
		if err != nil {
			t.Errorf("%s: %v", file.Name(), err)
			continue
		}
		content := thumbnails[0].JPEG
		for at := 2; content[at+1] != 0xda; at += 2 + int(binary.BigEndian.Uint16(content[at+2:])) {
			if !slices.Contains(needed, content[at+1]) {
				t.Errorf("%s: the thumbnail has a segment %x", file.Name(), content[at+1])
			}
		}
		for _, word := range []string{"Exif", "ICC_PROFILE", "secret", "http", "JFIF"} {
			if bytes.Contains(content, []byte(word)) {
				t.Errorf("%s: the thumbnail contains %q", file.Name(), word)
			}
		}
	}
}

func TestThumbnails_fails_on_invalid_widths(t *testing.T) {
	t.Parallel()
	for _, width := range []int{0, -1} {
		_, err := imaging.Thumbnails(read(t, "baseline.jpg"), []int{320, width}, limits)
		if err == nil || errors.Is(err, imaging.ErrRejected) {
			t.Errorf("width %d: %v, want an error that is no rejection", width, err)
		}
	}
	thumbnails, err := imaging.Thumbnails([]byte("no picture"), nil, limits)
	if thumbnails != nil || err != nil {
		t.Errorf("no widths: %v, %v, want nothing", thumbnails, err)
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

// exif returns EXIF data with one tag, Orientation.
func exif(orientation byte) []byte {
	const header, entries = "MM\x00\x2a\x00\x00\x00\x08", "\x00\x01"
	const tag = "\x01\x12\x00\x03\x00\x00\x00\x01"
	return slices.Concat([]byte(header+entries+tag), []byte{0, orientation, 0, 0}, make([]byte, 4))
}

// chunk returns a chunk of a PNG.
func chunk(name string, data []byte) []byte {
	c := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	c = append(append(c, name...), data...)
	return binary.BigEndian.AppendUint32(c, crc32.ChecksumIEEE(c[4:]))
}

// insert inserts a chunk after the header of a PNG.
func insert(picture, chunk []byte) []byte {
	const header = 8 + 25
	return slices.Concat(picture[:header], chunk, picture[header:])
}

// wantRejection checks that the error wraps ErrRejected and contains the reason.
func wantRejection(t *testing.T, picture []byte, limits imaging.Limits, reason string) {
	t.Helper()
	thumbnails, err := imaging.Thumbnails(picture, []int{320, 640}, limits)
	if !errors.Is(err, imaging.ErrRejected) || !strings.Contains(fmt.Sprint(err), reason) ||
		thumbnails != nil {
		t.Errorf("%d thumbnails, error %v, want no thumbnails and a rejection with %q",
			len(thumbnails), err, reason)
	}
}

// allocated returns the number of bytes that f allocates, freed or not. It measures the process, so
// its callers are not parallel tests.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
