package bench

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/ashlar-cdk/ashlar/internal/domain/imaging"
	"github.com/ashlar-cdk/ashlar/internal/domain/pictures"
)

// limits are the limits of users' uploads.
var limits = imaging.Limits{Bytes: pictures.MaxBytes, Pixels: pictures.MaxPixels}

// BenchmarkThumbnails generates thumbnails of a photo of 12 megapixels, compared with sharp
// (libvips), one thread each and in turn. sharp decodes the photo again for each width, with only
// the detail that the width needs, which is how it is used.
//
// It fails if the four widths of the platform take more than twice sharp's time. A single small one
// takes about twice as long: all of that time is JPEG decoding, which libjpeg-turbo does in half
// the time (ADR 15).
//
//	make bench/sharp/node_modules
//	PATH=$PWD/node_modules/.bin:$PATH go test ./bench -run '^$' -bench Thumbnails -benchtime 1x
func BenchmarkThumbnails(b *testing.B) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	sharp := startSharp(b)
	photos := map[string]string{"baseline": "", "progressive": ""}
	img := photo(4000, 3000, 1)
	for kind := range photos {
		photos[kind] = sharp.encode(b, img, kind == "progressive")
	}
	for _, kind := range []string{"baseline", "progressive"} {
		for name, widths := range map[string][]int{"256": {256}, "four": pictures.Widths} {
			b.Run(kind+"/"+name, func(b *testing.B) {
				picture, err := os.ReadFile(photos[kind])
				if err != nil {
					b.Fatal(err)
				}
				for b.Loop() {
					ratio := takeTurns(b, 1, func() time.Duration {
						began := time.Now()
						if _, err := imaging.Thumbnails(picture, widths, limits); err != nil {
							b.Fatal(err)
						}
						return time.Since(began)
					}, "sharp", func() time.Duration {
						request := request{Picture: photos[kind], Widths: widths}
						return milliseconds(sharp.ask(b, request).Milliseconds)
					})
					if len(widths) > 1 && ratio > 2 {
						b.Errorf("%.2f times sharp's time, want at most 2", ratio)
					}
				}
			})
		}
	}
}

// Compares our thumbnails with sharp's, of the same quality and decoded by the same decoder. The
// loss of either encoding counts too.
func TestThumbnails_quality(t *testing.T) {
	t.Parallel()
	sharp := startSharp(t)
	for name, picture := range map[string]string{
		"a large JPEG":                sharp.encode(t, photo(3000, 2000, 1), false),
		"a progressive portrait JPEG": sharp.encode(t, photo(1500, 2100, 2), true),
		"a PNG":                       encodePNG(t, photo(2100, 1400, 3)),
		"a small JPEG":                sharp.encode(t, photo(701, 467, 4), false),
	} {
		content, err := os.ReadFile(picture)
		if err != nil {
			t.Fatal(err)
		}
		ours, err := imaging.Thumbnails(content, pictures.Widths, limits)
		if err != nil {
			t.Fatal(err)
		}
		folder := t.TempDir()
		sharp.ask(t, request{Picture: picture, Widths: pictures.Widths, Folder: folder})
		for _, thumbnail := range ours {
			theirs, err := os.ReadFile(filepath.Join(folder, fmt.Sprint(thumbnail.Width, ".jpg")))
			if err != nil {
				t.Fatal(err)
			}
			got, want := decode(t, thumbnail.JPEG), decode(t, theirs)
			if got.Bounds() != want.Bounds() {
				t.Errorf("%s at %d: size %v, libvips' %v",
					name, thumbnail.Width, got.Bounds().Max, want.Bounds().Max)
				continue
			}
			psnr, ssim := compare(got, want)
			t.Logf("%s at %d: PSNR %.1f dB, SSIM %.4f, %d kB, libvips' %d kB",
				name, thumbnail.Width, psnr, ssim, len(thumbnail.JPEG)/1000, len(theirs)/1000)
			if psnr < 35 || ssim < 0.95 {
				t.Errorf("%s at %d: PSNR %.1f dB, SSIM %.4f, want at least 35 dB and 0.95",
					name, thumbnail.Width, psnr, ssim)
			}
		}
	}
}

func decode(tb testing.TB, content []byte) image.Image {
	tb.Helper()
	img, err := jpeg.Decode(bytes.NewReader(content))
	if err != nil {
		tb.Fatal(err)
	}
	return img
}

// compare returns the peak signal-to-noise ratio over red, green and blue, and the structural
// similarity of brightness in windows of 8 by 8 pixels.
func compare(got, want image.Image) (psnr, ssim float64) {
	bounds := want.Bounds()
	brightness := [2][]float64{}
	var squares float64
	for y := range bounds.Dy() {
		for x := range bounds.Dx() {
			a := color.NRGBAModel.Convert(got.At(x, y)).(color.NRGBA)
			b := color.NRGBAModel.Convert(want.At(x, y)).(color.NRGBA)
			for _, d := range []float64{
				float64(a.R) - float64(b.R),
				float64(a.G) - float64(b.G),
				float64(a.B) - float64(b.B),
			} {
				squares += d * d
			}
			brightness[0] = append(brightness[0],
				0.299*float64(a.R)+0.587*float64(a.G)+0.114*float64(a.B))
			brightness[1] = append(brightness[1],
				0.299*float64(b.R)+0.587*float64(b.G)+0.114*float64(b.B))
		}
	}
	psnr = 10 * math.Log10(255*255*3*float64(bounds.Dx()*bounds.Dy())/squares)

	const window, step = 8, 4
	var sum, count float64
	for y := 0; y+window <= bounds.Dy(); y += step {
		for x := 0; x+window <= bounds.Dx(); x += step {
			var a, b, aa, bb, ab float64
			for i := range window {
				for j := range window {
					at := (y+i)*bounds.Dx() + x + j
					p, q := brightness[0][at], brightness[1][at]
					a, b, aa, bb, ab = a+p, b+q, aa+p*p, bb+q*q, ab+p*q
				}
			}
			const n = window * window
			const c1, c2 = (0.01 * 255) * (0.01 * 255), (0.03 * 255) * (0.03 * 255)
			a, b = a/n, b/n
			va, vb, cov := aa/n-a*a, bb/n-b*b, ab/n-a*b
			sum += (2*a*b + c1) * (2*cov + c2) / ((a*a + b*b + c1) * (va + vb + c2))
			count++
		}
	}
	return psnr, sum / count
}

func encodePNG(tb testing.TB, img image.Image) string {
	tb.Helper()
	file, err := os.Create(filepath.Join(tb.TempDir(), "photo.png"))
	if err != nil {
		tb.Fatal(err)
	}
	encoder := png.Encoder{CompressionLevel: png.BestSpeed}
	if err := errors.Join(encoder.Encode(file, img), file.Close()); err != nil {
		tb.Fatal(err)
	}
	return file.Name()
}

// A sharpProcess is a node that generates thumbnails.
type sharpProcess struct{ *node }

// A request is a request to sharp/sharp.js, where its fields are described.
type request struct {
	Picture     string `json:"picture"`
	Widths      []int  `json:"widths,omitempty"`
	Folder      string `json:"folder,omitempty"`
	JPEG        string `json:"jpeg,omitempty"`
	Progressive bool   `json:"progressive,omitempty"`
}

type response struct {
	Milliseconds float64
}

func startSharp(tb testing.TB) *sharpProcess {
	tb.Helper()
	return &sharpProcess{startNode(tb, "sharp", "UV_THREADPOOL_SIZE=1", "VIPS_CONCURRENCY=1")}
}

func (s *sharpProcess) ask(tb testing.TB, r request) response {
	tb.Helper()
	var result response
	s.node.ask(tb, r, &result)
	return result
}

// encode encodes the picture with libjpeg-turbo, as a camera does and image/jpeg cannot: also
// progressive.
func (s *sharpProcess) encode(tb testing.TB, img image.Image, progressive bool) string {
	tb.Helper()
	file := filepath.Join(tb.TempDir(), "photo.jpg")
	s.ask(tb, request{Picture: encodePNG(tb, img), JPEG: file, Progressive: progressive})
	return file
}
