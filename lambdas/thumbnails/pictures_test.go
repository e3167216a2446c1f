package main

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-cdk/ashlar/internal/domain/pictures"
	"github.com/ashlar-cdk/ashlar/lambdatest"
)

// fixtures is the folder with the test pictures of package imaging.
const fixtures = "../../internal/domain/imaging/testdata"

func fixture(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(fixtures, name))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// realPictures returns the fixtures, and some generated pictures, by name.
func realPictures(t *testing.T) map[string][]byte {
	t.Helper()
	found := map[string][]byte{"animated.gif": animation(t), "a+b/no name/.jpg": plain(t, red)}
	files, err := os.ReadDir(fixtures)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if slices.Contains([]string{".jpg", ".png", ".webp", ".gif"}, filepath.Ext(file.Name())) {
			found[file.Name()] = fixture(t, file.Name())
		}
	}
	for _, want := range []string{
		"progressive.jpg", "cmyk.jpg", "16-bit.png", "1x1.jpg", "wrong-extension.png",
		"orientation-8.jpg", "lossy.webp",
	} {
		if found[want] == nil {
			t.Errorf("the fixture %s is missing", want)
		}
	}
	return found
}

// animation returns a GIF with a red first frame and a blue second one.
func animation(t *testing.T) []byte {
	t.Helper()
	var frames gif.GIF
	for _, c := range []color.RGBA{red, blue} {
		frame := image.NewPaletted(image.Rect(0, 0, 400, 300), color.Palette{c})
		frames.Image, frames.Delay = append(frames.Image, frame), append(frames.Delay, 10)
	}
	var encoded bytes.Buffer
	if err := gif.EncodeAll(&encoded, &frames); err != nil {
		t.Fatal(err)
	}
	return encoded.Bytes()
}

// testPictures sends real pictures to the function, five at a time, and logs the results.
func testPictures(t *testing.T, p *platform) {
	all := realPictures(t)
	letters := len(p.queue.Messages())
	for names := range slices.Chunk(slices.Sorted(maps.Keys(all)), 5) {
		var bodies []string
		for _, name := range names {
			p.put(t, "temp/real/"+name, all[name])
			bodies = append(bodies, changed(t, "temp/real/"+name))
		}
		p.succeeds(t, bodies...)
	}
	if sent := p.queue.Messages()[letters:]; len(sent) > 0 {
		t.Errorf("dead letters %+v, want none", sent)
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		sizes := ""
		for _, width := range pictures.Widths {
			got := p.thumbnail(t, "temp/real/"+name, width)
			if size := got.image.Bounds().Size(); size.X > width {
				t.Errorf("%s at %d: size %v", name, width, size)
			}
			for _, metadata := range []string{
				"Exif", "secret", "ICC_PROFILE", "http://ns.adobe.com",
			} {
				if bytes.Contains(got.content, []byte(metadata)) {
					t.Errorf("%s at %d contains %s", name, width, metadata)
				}
			}
			sizes += fmt.Sprintf("  %d: %v, %d bytes",
				width, got.image.Bounds().Size(), len(got.content))
		}
		t.Logf("%-22s %s", name, sizes)
	}
	for orientation := 1; orientation <= 8; orientation++ {
		name := fmt.Sprintf("temp/real/orientation-%d.jpg", orientation)
		upright := p.thumbnail(t, name, 320).image
		if !near(upright, 0.25, 0.25, color.RGBA{220, 30, 40, 255}) ||
			!near(upright, 0.75, 0.25, color.RGBA{30, 170, 60, 255}) ||
			!near(upright, 0.25, 0.75, color.RGBA{30, 60, 200, 255}) ||
			!near(upright, 0.75, 0.75, color.RGBA{200, 200, 200, 255}) {
			t.Errorf("%s is not upright", name)
		}
	}
	p.has(t, "temp/real/animated.gif", &red)
	size := p.thumbnail(t, "temp/real/1x1.jpg", 1920).image.Bounds().Size()
	if size != image.Pt(1, 1) {
		t.Errorf("1x1.jpg: size %v", size)
	}
}

// A poisonPicture is a picture that the function rejects for the reason.
type poisonPicture struct {
	content []byte
	reason  string
}

// poison returns pictures that the function rejects, by name.
func poison(t *testing.T) map[string]poisonPicture {
	t.Helper()
	const svg = `<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`
	const otherFormat = "it is not a JPEG, PNG, GIF or WebP file"
	baseline, photo := fixture(t, "baseline.jpg"), fixture(t, "16-bit.png")
	tooLarge := append(slices.Clone(baseline), make([]byte, pictures.MaxBytes)...)
	return map[string]poisonPicture{
		"truncated.jpg": {baseline[:len(baseline)/2], "it is truncated"},
		"truncated.png": {photo[:len(photo)/2], "it cannot be decoded"},
		"empty.jpg":     {nil, otherFormat},
		"text.jpg":      {[]byte("no picture"), otherFormat},
		"script.svg":    {[]byte(svg), otherFormat},
		"100-megapixels.jpg": {
			resized(t, baseline, 10_000, 10_000), "10000 × 10000 pixels, more than 50000000",
		},
		"bomb.png": {
			bomb(t, 20_000, 20_000, 8), "20000 × 20000 pixels, more than 50000000",
		},
		"too-large.jpg":        {tooLarge, "bytes, more than 20971520"},
		"header-only.png":      {photo[:40], "it cannot be decoded"},
		"nearly-no-header.jpg": {[]byte("\xff\xd8\xff"), "it is truncated"},
	}
}

// testPoison sends batches of five messages with one poison message, at every position.
func testPoison(t *testing.T, p *platform) {
	all := poison(t)
	for i, name := range slices.Sorted(maps.Keys(all)) {
		key, before, at := "temp/rejected/"+name, p.queue.Messages(), i%5
		p.put(t, key, plain(t, green))
		p.succeeds(t, changed(t, key)) // creates thumbnails, which have to be deleted
		p.put(t, key, all[name].content)
		var bodies []string
		for position := range 5 {
			other := fmt.Sprintf("temp/beside/%s/%d", name, position)
			p.put(t, other, plain(t, blue))
			bodies = append(bodies, changed(t, other))
		}
		bodies[at] = changed(t, key)
		p.succeeds(t, bodies...)
		if sent := len(p.queue.Messages()) - len(before); sent != 1 {
			t.Errorf("%s: %d dead letters, want 1", name, sent)
		}
		p.deadLettered(t, key, all[name].reason)
		for position := range 5 {
			if position != at {
				p.has(t, fmt.Sprintf("temp/beside/%s/%d", name, position), &blue)
			}
		}
		letter := p.queue.Messages()[len(before)]
		t.Logf("%-22s dead letter: %s", name, letter.Attributes["Reason"])

		// Redriven after the picture was fixed, the dead letter works like the original message.
		p.put(t, key, plain(t, red))
		p.succeeds(t, letter.Body)
		p.has(t, key, &red)
	}
	for name, body := range map[string]string{
		"no JSON": "{", "no event": "{}", "no object": `{"Records":[{"eventVersion":"2.1"}]}`,
		"no text": "\t",
	} {
		before := p.queue.Messages()
		p.put(t, "temp/beside body", plain(t, blue))
		p.succeeds(t, body, changed(t, "temp/beside body"))
		p.has(t, "temp/beside body", &blue)
		sent := p.queue.Messages()[len(before):]
		if len(sent) != 1 || sent[0].Attributes["Key"] != "" ||
			!strings.HasPrefix(sent[0].Attributes["Reason"], "not an S3 event") {
			t.Fatalf("%s: dead letters %+v", name, sent)
		}
		if json.Valid([]byte(sent[0].Body)) != json.Valid([]byte(body)) {
			t.Errorf("%s: dead letter %q", name, sent[0].Body)
		}
	}
}

// resized returns the baseline JPEG with a false size in its header.
func resized(t *testing.T, picture []byte, width, height uint16) []byte {
	t.Helper()
	picture = slices.Clone(picture)
	at := bytes.Index(picture, []byte{0xff, 0xc0})
	if at < 0 {
		t.Fatal("the JPEG has no frame")
	}
	binary.BigEndian.PutUint16(picture[at+5:], height)
	binary.BigEndian.PutUint16(picture[at+7:], width)
	return picture
}

// bomb returns a small file of a large PNG: RGBA, all zeros, with bits per sample.
func bomb(t *testing.T, width, height int, bits byte) []byte {
	t.Helper()
	var pixels bytes.Buffer
	w, err := zlib.NewWriterLevel(&pixels, zlib.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	row := make([]byte, 1+width*4*int(bits)/8)
	for range height {
		if _, err := w.Write(row); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	file := []byte("\x89PNG\r\n\x1a\n")
	chunk := func(name string, data []byte) {
		file = binary.BigEndian.AppendUint32(file, uint32(len(data)))
		start := len(file)
		file = append(append(file, name...), data...)
		file = binary.BigEndian.AppendUint32(file, crc32.ChecksumIEEE(file[start:]))
	}
	header := binary.BigEndian.AppendUint32(nil, uint32(width))
	header = binary.BigEndian.AppendUint32(header, uint32(height))
	chunk("IHDR", append(header, bits, 6, 0, 0, 0))
	chunk("IDAT", pixels.Bytes())
	chunk("IEND", nil)
	return file
}

// fourColours returns a small file of a large progressive JPEG in CMYK: one scan of zeros, white.
func fourColours(t *testing.T, width, height int) []byte {
	t.Helper()
	file := []byte("\xff\xd8")
	segment := func(marker byte, parts ...[]byte) {
		data := slices.Concat(parts...)
		file = binary.BigEndian.AppendUint16(append(file, 0xff, marker), uint16(2+len(data)))
		file = append(file, data...)
	}
	// CMYK without a transform.
	segment(0xee, []byte("Adobe\x00\x64\x00\x00\x00\x00\x00"))
	// A quantisation table.
	segment(0xdb, make([]byte, 1), bytes.Repeat([]byte{1}, 64))
	// A Huffman table with one code of one bit: no difference.
	segment(0xc4, make([]byte, 1), []byte{1}, make([]byte, 15), make([]byte, 1))
	size := binary.BigEndian.AppendUint16([]byte{8}, uint16(height))
	size = binary.BigEndian.AppendUint16(size, uint16(width))
	segment(0xc2, size, []byte{4, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0, 4, 0x11, 0})
	segment(0xda, []byte{4, 1, 0, 2, 0, 3, 0, 4, 0, 0, 0, 0})
	blocks := ((width + 7) / 8) * ((height + 7) / 8)
	file = append(file, make([]byte, blocks*4/8)...) // a bit for each colour of each block
	return append(file, 0xff, 0xd9)
}

// photo returns a baseline JPEG of 12 megapixels with as much data as a phone's photo: noise does
// not compress.
func photo(t *testing.T) []byte {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	img := image.NewYCbCr(image.Rect(0, 0, 4032, 3024), image.YCbCrSubsampleRatio420)
	for _, plane := range [][]byte{img.Y, img.Cb, img.Cr} {
		for i := range plane {
			plane[i] = byte(100 + random.IntN(24))
		}
	}
	var encoded bytes.Buffer
	if err := jpeg.Encode(&encoded, img, &jpeg.Options{Quality: 90}); err != nil {
		t.Fatal(err)
	}
	return encoded.Bytes()
}

// testMemory measures the peak memory of the function's process. A photo may need 256 MiB. The
// largest picture may need more, but five pictures not much more than one.
func testMemory(t *testing.T, p *platform) {
	// Written by sharp, from a little noise that was enlarged 126 times.
	progressive, err := os.ReadFile("testdata/12-megapixels-progressive.jpg")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name    string
		content []byte
		count   int
		limit   int64 // in MiB
	}{
		{"photos of 12 megapixels", photo(t), 5, 256},
		{"progressive photos of 12 megapixels", progressive, 5, 256},
		{"PNGs of maximum size", bomb(t, 7_000, 7_000, 16), 2, 700},
		// Its coefficients alone take 800 MB, and garbage that is not collected yet as much again.
		{"CMYK progressive JPEGs of maximum size", fourColours(t, 760, 65_535), 1, 1450},
	} {
		environment := maps.Clone(p.environment)
		environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] = "1769" // as deployed
		fn := lambdatest.New(t, p.bootstrap, environment)
		var bodies []string
		for i := range test.count {
			key := fmt.Sprintf("temp/%s %d", test.name, i)
			p.put(t, key, test.content)
			bodies = append(bodies, changed(t, key))
		}
		begun := time.Now()
		if failed := p.send(t, fn, timeout, bodies...); len(failed) > 0 {
			t.Fatalf("%s: retry of messages %v, want none\n%s", test.name, failed, fn.Logs())
		}
		took := time.Since(begun)
		for i := range test.count {
			keys := p.keys(t, fmt.Sprintf("temp/%s %d", test.name, i))
			if len(keys) != len(pictures.Widths) {
				t.Errorf("%s: %q", test.name, keys)
			}
		}
		peak := fn.PeakMemory(t) >> 20
		t.Logf("%d %s of %d KiB: peak %d MiB, %s",
			test.count, test.name, len(test.content)>>10, peak, took.Round(time.Millisecond))
		if peak >= test.limit {
			t.Errorf("%s: %d MiB, want less than %d", test.name, peak, test.limit)
		}
	}
}
