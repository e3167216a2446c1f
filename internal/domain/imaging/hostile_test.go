package imaging_test

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/ashlar-cdk/ashlar/internal/domain/imaging"
)

// resized returns the JPEG with a false size in its header.
func resized(tb testing.TB, picture []byte, width, height uint16) []byte {
	tb.Helper()
	picture = slices.Clone(picture)
	at := frameMarker(tb, picture)
	binary.BigEndian.PutUint16(picture[at+5:], height)
	binary.BigEndian.PutUint16(picture[at+7:], width)
	return picture
}

// frameMarker returns the position of a JPEG's frame marker.
func frameMarker(tb testing.TB, picture []byte) int {
	tb.Helper()
	for at := 2; at+4 < len(picture); at += 2 + int(binary.BigEndian.Uint16(picture[at+2:])) {
		if marker := picture[at+1]; marker == 0xc0 || marker == 0xc2 {
			return at
		}
	}
	tb.Fatal("the JPEG has no frame")
	return 0
}

// emptyPNG returns a PNG without pixels.
func emptyPNG(width, height uint32) []byte {
	header := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, width), height)
	header = append(header, 8, 6, 0, 0, 0) // RGBA of 8 bits
	return slices.Concat([]byte("\x89PNG\r\n\x1a\n"), chunk("IHDR", header),
		chunk("IDAT", deflated(make([]byte, 1000))), chunk("IEND", nil))
}

func deflated(data []byte) []byte {
	var out bytes.Buffer
	w := zlib.NewWriter(&out)
	_, _ = w.Write(data)
	_ = w.Close()
	return out.Bytes()
}

// gifOf returns a GIF with a canvas and the header of a frame.
func gifOf(canvas, frame image.Point) []byte {
	file := []byte("GIF89a")
	for _, v := range []int{canvas.X, canvas.Y} {
		file = binary.LittleEndian.AppendUint16(file, uint16(v))
	}
	file = append(file, 0x80, 0, 0, 0, 0, 0, 255, 255, 255, 0x2c, 0, 0, 0, 0)
	for _, v := range []int{frame.X, frame.Y} {
		file = binary.LittleEndian.AppendUint16(file, uint16(v))
	}
	return append(file, 0, 2, 2, 0x44, 1, 0, 0x3b)
}

// webpOf returns a WebP file with the chunks.
func webpOf(chunks ...[]byte) []byte {
	data := slices.Concat(chunks...)
	size := binary.LittleEndian.AppendUint32(nil, uint32(4+len(data)))
	return slices.Concat([]byte("RIFF"), size, []byte("WEBP"), data)
}

func webpChunk(name string, data []byte) []byte {
	c := append(binary.LittleEndian.AppendUint32([]byte(name), uint32(len(data))), data...)
	return append(c, make([]byte, len(c)%2)...)
}

// vp8 returns a chunk with only the header of a lossy picture.
func vp8(width, height uint16) []byte {
	data := []byte{0x10, 0, 0, 0x9d, 0x01, 0x2a}
	data = binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16(data, width), height)
	return webpChunk("VP8 ", append(data, make([]byte, 100)...))
}

// vp8l returns a chunk with only the header of a lossless picture.
func vp8l(width, height uint32) []byte {
	data := binary.LittleEndian.AppendUint32([]byte{0x2f}, (width-1)|(height-1)<<14)
	return webpChunk("VP8L", append(data, make([]byte, 100)...))
}

func vp8x(width, height int, flags byte) []byte {
	data := []byte{flags, 0, 0, 0}
	for _, v := range []int{width - 1, height - 1} {
		data = append(data, byte(v), byte(v>>8), byte(v>>16))
	}
	return webpChunk("VP8X", data)
}

// anmf returns a frame of an animation.
func anmf(x, y int, frame []byte) []byte {
	data := []byte{byte(x / 2), byte(x >> 9), 0, byte(y / 2), byte(y >> 9), 0}
	data = append(data, make([]byte, 10)...)
	return webpChunk("ANMF", append(data, frame...))
}

// This test is not parallel, because it measures allocated memory.
func TestThumbnails_rejects_large_pictures_by_their_header(t *testing.T) {
	lossy := read(t, "lossy.webp")[12:]
	alpha := webpChunk("ALPH", make([]byte, 20))
	for name, c := range map[string]struct {
		picture []byte
		reason  string
	}{
		"JPEG of 100 megapixels": {
			resized(t, read(t, "baseline.jpg"), 10_000, 10_000),
			"10000 × 10000 pixels, more than 50000000",
		},
		"progressive JPEG of 100 megapixels": {
			resized(t, read(t, "progressive.jpg"), 10_000, 10_000),
			"10000 × 10000 pixels, more than 50000000",
		},
		"JPEG of four colours": {
			resized(t, read(t, "cmyk.jpg"), 65_535, 65_535),
			"65535 × 65535 pixels, more than 50000000",
		},
		"PNG of 400 megapixels": {
			emptyPNG(20_000, 20_000), "20000 × 20000 pixels, more than 50000000",
		},
		"PNG that is taller than a JPEG can be": {emptyPNG(1, 70_000), "1 × 70000 pixels"},
		"PNG that is wider than a JPEG can be":  {emptyPNG(70_000, 1), "70000 × 1 pixels"},
		"GIF with a large canvas": {
			gifOf(image.Pt(65_535, 65_535), image.Pt(1, 1)),
			"65535 × 65535 pixels, more than 50000000",
		},
		"GIF with a frame outside its canvas": {
			gifOf(image.Pt(1, 1), image.Pt(65_535, 65_535)),
			"frame bounds larger than image bounds",
		},
		"lossy WebP": {
			webpOf(vp8(16_383, 16_383)), "16383 × 16383 pixels, more than 50000000",
		},
		"lossless WebP": {
			webpOf(vp8l(16_383, 16_383)), "16383 × 16383 pixels, more than 50000000",
		},
		"WebP with a small size in its container": {
			webpOf(vp8x(10, 10, 0), vp8(16_383, 16_383)),
			"16383 × 16383 pixels, more than 50000000",
		},
		"WebP with alpha and a small size in its container": {
			webpOf(vp8x(10, 10, 1<<4), alpha, vp8(16_383, 16_383)), "16383 × 16383",
		},
		"animated WebP with a large canvas": {
			webpOf(vp8x(1<<24, 1<<24, 2), anmf(0, 0, lossy)), "16777216 × 16777216 pixels",
		},
		"animated WebP with a large frame": {
			webpOf(vp8x(10, 10, 2), anmf(0, 0, vp8(16_383, 16_383))), "16383 × 16383 pixels",
		},
		"animated WebP with a frame outside its canvas": {
			webpOf(vp8x(480, 320, 2), anmf(2, 0, lossy)), "outside its canvas",
		},
	} {
		took := allocated(func() { wantRejection(t, c.picture, limits, c.reason) })
		if t.Logf("%s: %d bytes allocated", name, took); took > 1<<20 {
			t.Errorf("%s: %d bytes were allocated before the rejection", name, took)
		}
	}
	file := read(t, "baseline.jpg")
	exact := imaging.Limits{Bytes: int64(len(file)), Pixels: 480 * 320}
	wantRejection(t, file, imaging.Limits{Bytes: exact.Bytes - 1, Pixels: exact.Pixels},
		"bytes, more than")
	wantRejection(t, file, imaging.Limits{Bytes: exact.Bytes, Pixels: exact.Pixels - 1},
		"480 × 320 pixels, more than 153599")
	if _, err := imaging.Thumbnails(file, []int{320}, exact); err != nil {
		t.Errorf("a picture at its limits: %v", err)
	}
}

// This test is not parallel, because it measures allocated memory.
func TestThumbnails_limits_the_memory_of_a_profile(t *testing.T) {
	icc := append([]byte("bomb\x00\x00"), deflated(make([]byte, 40<<20))...)
	bomb := insert(read(t, "palette.png"), chunk("iCCP", icc))
	if took := allocated(func() { thumbnail(t, bomb, 240) }); took > 20<<20 {
		t.Errorf("%d bytes were allocated", took)
	}
}

func TestThumbnails_rejects_truncated_pictures(t *testing.T) {
	t.Parallel()
	for name, content := range pictures(t) {
		size := len(content)
		for _, length := range []int{size / 4, size / 2, size * 3 / 4, size * 9 / 10, size - 1} {
			_, err := imaging.Thumbnails(content[:length], []int{320}, limits)
			if !errors.Is(err, imaging.ErrRejected) {
				t.Errorf("%s, %d bytes of %d: %v, want a rejection", name, length, size, err)
			}
		}
	}
	wantRejection(t, animation(t)[:820], limits, "cannot be decoded")
}

// pictures returns the pictures in testdata, by file name.
func pictures(tb testing.TB) map[string][]byte {
	tb.Helper()
	found := map[string][]byte{}
	files, err := os.ReadDir("testdata")
	if err != nil {
		tb.Fatal(err)
	}
	for _, file := range files {
		if slices.Contains([]string{".jpg", ".png", ".webp"}, filepath.Ext(file.Name())) {
			found[file.Name()] = read(tb, file.Name())
		}
	}
	return found
}

func TestThumbnails_rejects_other_files(t *testing.T) {
	t.Parallel()
	for _, content := range []string{
		"", "\xff", "\xff\xd8", "GIF", "RIFF", "hello",
		"<svg xmlns='http://www.w3.org/2000/svg'/>", "%PDF-1.7", "II*\x00", "BM",
		"\x00\x00\x00\x18ftypheic", "RIFF\x04\x00\x00\x00WAVE",
	} {
		wantRejection(t, []byte(content), limits, "it is not a JPEG, PNG, GIF or WebP file")
	}
	wantRejection(t, []byte("\xff\xd8\xff"), limits, "it is truncated")
	wantRejection(t, []byte("\xff\xd8\xff\xd9"), limits, "it is truncated")
	wantRejection(t, []byte("RIFF\x04\x00\x00\x00WEBP"), limits, "it contains no picture")
	wantRejection(t, []byte("GIF89a"), limits, "its header cannot be read")
	wantRejection(t, []byte("\x89PNG\r\n\x1a\n"), limits, "its header cannot be read")
	wantRejection(t, gifOf(image.Pt(0, 0), image.Pt(0, 0)), limits, "it is empty")
}

func TestThumbnails_rejects_unsupported_JPEGs(t *testing.T) {
	t.Parallel()
	// Lossless, differential and arithmetic coding.
	for _, marker := range []byte{0xc3, 0xc5, 0xc9, 0xca, 0xcf} {
		picture := read(t, "baseline.jpg")
		picture[frameMarker(t, picture)+1] = marker
		wantRejection(t, picture, limits, fmt.Sprintf("SOF%d is not supported", marker-0xc0))
	}
}

func TestThumbnails_falls_back_to_the_standard_JPEG_decoder(t *testing.T) {
	t.Parallel()
	extended := read(t, "baseline.jpg")
	extended[frameMarker(t, extended)+1] = 0xc1 // extended sequential includes baseline
	wantColours(t, thumbnail(t, extended, 240), quarters)

	// Rows with fewer than three colour samples, which the fast decoder does not smooth.
	narrow := image.NewRGBA(image.Rect(0, 0, 3, 400))
	for i := range narrow.Pix {
		narrow.Pix[i] = 255
	}
	var file bytes.Buffer
	if err := jpeg.Encode(&file, narrow, nil); err != nil {
		t.Fatal(err)
	}
	if got := thumbnail(t, file.Bytes(), 100).At(1, 100); !near(got, white, 0) {
		t.Errorf("%v, want white", got)
	}
}

func TestThumbnails_rejects_JPEGs_with_too_many_scans(t *testing.T) {
	t.Parallel()
	picture := read(t, "progressive.jpg")
	last := bytes.LastIndex(picture, []byte{0xff, 0xda})
	end := len(picture) - 2
	scan := picture[last:end]
	repeated := func(times int) []byte {
		return slices.Concat(picture[:end], bytes.Repeat(scan, times), picture[end:])
	}
	wantRejection(t, repeated(50), limits, "more than 50 scans")
	wantColours(t, thumbnail(t, repeated(30), 240), quarters)
}

func TestThumbnails_ignores_trailing_data(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"baseline.jpg", "progressive.jpg", "palette.png", "lossy.webp"} {
		picture := append(read(t, name), "trailing data, such as a second picture"...)
		wantColours(t, thumbnail(t, picture, 240), quarters)
	}
}

func TestThumbnails_ignores_broken_metadata(t *testing.T) {
	t.Parallel()
	picture := read(t, "orientation-1.jpg")
	at := bytes.Index(picture, []byte("Exif"))
	for i := at + 6; i < at+60; i++ {
		picture[i] = 0xff
	}
	wantColours(t, thumbnail(t, picture, 240), quarters)
	zeros := append([]byte("name\x00\x00"), deflated(make([]byte, 300))...)
	for _, icc := range [][]byte{nil, []byte("\x00"), []byte("name\x00\x00broken"), zeros} {
		picture := insert(read(t, "palette.png"), chunk("iCCP", icc))
		wantColours(t, thumbnail(t, picture, 240), quarters)
	}
}

func TestThumbnails_rejects_a_damaged_PNG(t *testing.T) {
	t.Parallel()
	picture := read(t, "palette.png")
	picture[bytes.Index(picture, []byte("IDAT"))+20] ^= 0xff
	wantRejection(t, picture, limits, "it cannot be decoded")
}

// FuzzThumbnails checks for any input that Thumbnails returns thumbnails or a rejection, quickly,
// and never more pixels than the picture has.
func FuzzThumbnails(f *testing.F) {
	for _, content := range pictures(f) {
		f.Add(content)
	}
	f.Add(animation(f))
	f.Add(gifOf(image.Pt(4, 4), image.Pt(1, 1)))
	f.Add(emptyPNG(100, 100))
	f.Add(webpOf(vp8(100, 100)))
	f.Add(webpOf(vp8l(100, 100)))
	f.Add(webpOf(vp8x(480, 320, 2), anmf(0, 0, read(f, "lossless.webp")[12:])))
	small := imaging.Limits{Bytes: 1 << 20, Pixels: 480 * 320}
	widths := []int{20, 100, 300}
	f.Fuzz(func(t *testing.T, picture []byte) {
		began := time.Now()
		thumbnails, err := imaging.Thumbnails(picture, widths, small)
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("took %s", took)
		}
		if err != nil {
			if !errors.Is(err, imaging.ErrRejected) {
				t.Errorf("error %v, want a rejection", err)
			}
			return
		}
		for i, thumbnail := range thumbnails {
			img, err := jpeg.Decode(bytes.NewReader(thumbnail.JPEG))
			if err != nil {
				t.Fatal(err)
			}
			size := img.Bounds().Max
			if thumbnail.Width != widths[i] || size != thumbnail.Size ||
				size.X > thumbnail.Width || size.X*size.Y > small.Pixels {
				t.Errorf("width %d: Size %v, actual size %v", thumbnail.Width, thumbnail.Size, size)
			}
		}
	})
}
